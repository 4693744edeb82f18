"""Mails that nobody here wrote, and our own."""
