"""The words that mailgate sends by itself, in four languages, and dates as their readers write them."""
