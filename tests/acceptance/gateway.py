"""A Postfix that faces the internet, whose milter writes what it found out, and mailgate behind it."""

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.acceptance.company import Company, company, settled_by
from tests.acceptance.outside import GATEWAY, Said, hand_over
from tests.acceptance.postfix import Postfix, postfix
from tests.acceptance.program import DOMAIN, program
from tests.acceptance.signing import Signer
from tests.dns_server import dns_server

STRANGERS_MAY_WRITE = f"""\
relay_domains = {DOMAIN}
smtpd_authorized_xclient_hosts = 127.0.0.0/8
milter_default_action = tempfail
"""
CLEAN = "header_checks = regexp:${config_directory}/clean_header\n"
CLEAN_HEADER = "/^(ARC-)?Authentication-Results:/    IGNORE\n"


@dataclass
class Gateway:
    """The gateway, running."""

    company: Company
    first: Postfix  # faces the internet
    last: Postfix  # hands on to mailgate
    keys: dict[str, Signer]

    def take(self, said: Said) -> tuple[str, str]:
        """Take a mail from outside; gives the record and the address that it went to."""
        record, address = self.company.record()
        mail = said.mail(self.keys, self.company.message_id())
        hand_over(self.first.port, said.client, said.sender, address, mail)
        return record, address

    def keeps(self, said: Said) -> None:
        """Check that it is kept as its author's."""
        record, address = self.take(said)
        assert settled_by(self.last, address) == ["sent"]
        assert self.company.kept(record) == [(said.author, "stamped")]

    def measured(self, said: Said) -> list[str]:
        """Ask ``doctor relay`` about a mail that was kept; gives the settings that it advises for ``stamped``."""
        record, address = self.take(said)
        settled_by(self.last, address)
        run = self.company.program
        (activity,) = run.facts("activity", "list", record)
        told = run.run("doctor", "relay", "-", "--json", stdin=run.run("activity", "raw", activity["id"]).stdout)
        (advised,) = (kind for kind in json.loads(told.stdout)["kinds"] if kind["trust"] == "stamped")
        assert advised["supported"] is True
        return list(advised["settings"])

    def refuses(self, said: Said) -> str:
        """Check that it goes back to its sender, and why; gives the notice."""
        record, address = self.take(said)
        assert settled_by(self.last, address) == ["bounced"]
        notice = self.company.notice(said.sender, address)
        assert "550 5.7.26 [MG-TRUST]" in notice
        assert self.company.kept(record) == []
        return notice


@contextmanager
def gateway(folder: Path, keys: dict[str, Signer], milter: str, stamp: str) -> Iterator[Gateway]:
    """Run a gateway whose milter stamps at this place."""
    with (
        stamped(folder, stamp, received=1) as running,
        facing_the_internet(running, milter, running.program.smtp_port) as postfix,
    ):
        yield Gateway(running, postfix, postfix, keys)


@contextmanager
def clean_gateway(folder: Path, keys: dict[str, Signer], milter: str, stamp: str) -> Iterator[Gateway]:
    """Run the same with a second Postfix behind the gateway, which takes forged fields away."""
    with (
        stamped(folder, stamp, received=2) as running,
        facing("inner", running, running.program.smtp_port) as inner,
        facing_the_internet(running, milter, inner.port, CLEAN) as postfix,
    ):
        yield Gateway(running, postfix, inner, keys)


@contextmanager
def stamped(folder: Path, stamp: str, received: int) -> Iterator[Company]:
    """Run the company with a relay of this kind; its DNS knows nothing, for a stamp needs none."""
    relay = {"name": "mx", "networks": ["127.0.0.0/8"], "trust": "stamped", "authserv_id": GATEWAY}
    relays = json.dumps([relay | {"received": received, "stamp": stamp}])
    with dns_server({}) as dns:
        settled = program(folder, MAILGATE_RELAYS=relays, MAILGATE_DNS__SERVERS=json.dumps([dns.address]))
        with company(folder, settled) as running:
            yield running


def facing_the_internet(
    company: Company, milter: str, next_port: int, extra: str = ""
) -> AbstractContextManager[Postfix]:
    """Run the gateway's own Postfix."""
    more = f"{STRANGERS_MAY_WRITE}smtpd_milters = {milter}\n{extra}"
    return facing(GATEWAY.removesuffix(".example"), company, next_port, "reject_unauth_destination", more)


def facing(
    name: str, company: Company, next_port: int, who_may_relay: str = "permit_mynetworks, reject", extra: str = ""
) -> AbstractContextManager[Postfix]:
    """Run a Postfix that hands mail for records to a port, and its notices to ``elsewhere``."""
    return postfix(
        name=name,
        record_domain=DOMAIN,
        transport=f"smtp:[127.0.0.1]:{next_port}",
        elsewhere=f"smtp:[127.0.0.1]:{company.elsewhere.port}",
        who_may_relay=who_may_relay,
        extra=extra,
        files={"clean_header": CLEAN_HEADER},
    )


def in_one_line(text: str) -> str:
    """Undo all folding."""
    return " ".join(text.split())
