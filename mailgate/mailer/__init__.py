"""Hands mail to a mail server. The only importer of an SMTP client."""

from mailgate.mailer.handover import Mailer, MailServer, Patience, hand_over
from mailgate.mailer.password import read_password

__all__ = ["MailServer", "Mailer", "Patience", "hand_over", "read_password"]
