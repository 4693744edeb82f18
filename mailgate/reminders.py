"""Sends the e-mail reminders of tasks that are due, each once."""
