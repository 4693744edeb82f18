"""Where all other mail goes: the clients' copies and the notices that Postfix writes to senders."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.acceptance.postfix import free_port


@dataclass
class Sink:
    """Keeps everything it is given, by recipient."""

    port: int
    mails: dict[str, list[bytes]] = field(default_factory=dict)

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        """Take a mail."""
        for recipient in envelope.rcpt_tos:
            self.mails.setdefault(recipient, []).append(envelope.original_content or b"")
        return "250 OK"


@contextmanager
def sink() -> Iterator[Sink]:
    """Run a sink on a free port of loopback."""
    kept = Sink(free_port())
    controller = Controller(kept, hostname="127.0.0.1", port=kept.port)
    controller.start()
    try:
        yield kept
    finally:
        controller.stop()
