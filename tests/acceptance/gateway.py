"""A Postfix that faces the internet, whose milter writes what it found out, and mailgate behind it."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.acceptance.company import Company, company, settled_by
from tests.acceptance.outside import GATEWAY, Said, hand_over
from tests.acceptance.postfix import Postfix, postfix
from tests.acceptance.program import DOMAIN, program
from tests.acceptance.signing import Signer

FACING_THE_INTERNET = f"""\
relay_domains = {DOMAIN}
smtpd_authorized_xclient_hosts = 127.0.0.0/8
milter_default_action = tempfail
"""


@dataclass
class Gateway:
    """The gateway, running."""

    company: Company
    postfix: Postfix
    keys: dict[str, Signer]

    def take(self, said: Said) -> tuple[str, str]:
        """Take a mail from outside; gives the record and the address that it went to."""
        record, address = self.company.record()
        mail = said.mail(self.keys, self.company.message_id())
        hand_over(self.postfix.port, said.client, said.sender, address, mail)
        return record, address

    def keeps(self, said: Said) -> None:
        """Check that it is kept as its author's."""
        record, address = self.take(said)
        assert settled_by(self.postfix, address) == ["sent"]
        assert self.company.kept(record) == [(said.author, "stamped")]

    def refuses(self, said: Said) -> None:
        """Check that it goes back to its sender, and why."""
        record, address = self.take(said)
        assert settled_by(self.postfix, address) == ["bounced"]
        notice = self.company.notice(said.sender, address)
        assert "550 5.7.26 [MG-TRUST]" in notice
        assert " ".join(said.on_top.decode().split()) in " ".join(notice.split())  # it did come to us
        assert self.company.kept(record) == []


@contextmanager
def gateway(folder: Path, keys: dict[str, Signer], milter: str, stamp: str) -> Iterator[Gateway]:
    """Run a gateway whose milter stamps at this place."""
    relay = {"name": "mx", "networks": ["127.0.0.0/8"], "trust": "stamped", "authserv_id": GATEWAY}
    settled = program(folder, MAILGATE_RELAYS=json.dumps([relay | {"received": 1, "stamp": stamp}]))
    with ExitStack() as stack:
        running = stack.enter_context(company(folder, settled))
        mx = stack.enter_context(
            postfix(
                name=GATEWAY.removesuffix(".example"),
                record_domain=DOMAIN,
                transport=f"smtp:[127.0.0.1]:{settled.smtp_port}",
                elsewhere=f"smtp:[127.0.0.1]:{running.elsewhere.port}",
                who_may_relay="reject_unauth_destination",
                extra=f"{FACING_THE_INTERNET}smtpd_milters = {milter}\n",
            )
        )
        yield Gateway(running, mx, keys)
