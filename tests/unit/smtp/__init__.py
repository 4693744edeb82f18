"""The listeners, piece by piece."""
