"""One mail to one mail server, in one transaction.

Raises ``Deferred(STORE_DOWN)``... never: what the server said is returned, for whoever asked decides what it means.
``BadInput`` where no server listens. Limits: no TLS and no login yet; made for a server on the same machine.
"""

import smtplib
from collections.abc import Sequence

from mailgate.errors import BadInput

TIMEOUT_SECONDS = 30


def hand_over(host: str, port: int, sender: str, recipients: Sequence[str], mail: bytes) -> tuple[int, str]:
    """Send a mail (CRLF line ends) and return the last reply: its code and text."""
    try:
        with smtplib.SMTP(host, port, timeout=TIMEOUT_SECONDS) as client:
            return _transaction(client, sender, recipients, mail)
    except OSError as error:
        raise BadInput(
            f"no mail server takes mail at {host}:{port} ({type(error).__name__}): is it running?"
        ) from error


def _transaction(client: smtplib.SMTP, sender: str, recipients: Sequence[str], mail: bytes) -> tuple[int, str]:
    client.ehlo_or_helo_if_needed()
    for step in (
        lambda: client.mail(sender, ["BODY=8BITMIME"]),
        *((lambda recipient=recipient: client.rcpt(recipient)) for recipient in recipients),
        lambda: client.data(mail),
    ):
        code, text = step()
        if code >= 400:  # noqa: PLR2004 - RFC 5321 4.2.1: 4yz and 5yz are a no
            break
    return code, text.decode("ascii", "replace")
