"""mailgate keeps a mail put in BCC as a read-only activity on its record."""

__version__ = "0.1.0"
