"""Hands mail to a mail server. The only importer of an SMTP client."""

from mailgate.mailer.handover import hand_over

__all__ = ["hand_over"]
