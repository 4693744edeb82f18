"""Logs the mails that the CRM itself sends, in the languages that the rules demand."""
