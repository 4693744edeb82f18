"""One mail to one mail server, in one transaction.

What the server said is returned: whoever asked decides what it means. Raises ``BadInput`` where no server listens or
the connection is lost. Limits: no TLS and no login yet; made for a server on the same machine.
"""

import smtplib
from collections.abc import Callable, Sequence
from functools import partial

from mailgate.errors import BadInput

TIMEOUT_SECONDS = 30
_FIRST_NO = 400  # RFC 5321 4.2.1: 4yz and 5yz


def hand_over(host: str, port: int, sender: str, recipients: Sequence[str], mail: bytes) -> tuple[int, str]:
    """Send a mail (CRLF line ends) and return the last reply: its code and text."""
    try:
        with smtplib.SMTP(host, port, timeout=TIMEOUT_SECONDS) as client:
            client.ehlo()
            return _transaction(client, sender, recipients, mail)
    except (OSError, smtplib.SMTPException) as error:
        raise BadInput(
            f"no mail server takes mail at {host}:{port} ({type(error).__name__}): is it running?"
        ) from error


def _transaction(client: smtplib.SMTP, sender: str, recipients: Sequence[str], mail: bytes) -> tuple[int, str]:
    steps: list[Callable[[], tuple[int, bytes]]] = [partial(client.mail, sender, ["BODY=8BITMIME"])]
    steps += [partial(client.rcpt, recipient) for recipient in recipients]
    steps.append(partial(client.data, mail))
    code, said = 0, b""
    for step in steps:
        code, said = step()
        if code >= _FIRST_NO:
            break
    return code, said.decode("ascii", "replace")
