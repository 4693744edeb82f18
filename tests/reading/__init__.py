"""Readers in processes of their own: what is answered, and what kills, stops or fools them."""
