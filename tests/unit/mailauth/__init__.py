"""Who sent a mail: what is read from its fields, and what is verified with the DNS."""
