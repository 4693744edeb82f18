"""``verified``, seen from the internet: mailgate looks itself, asks the DNS, and waits where the DNS is silent.

Two real Postfixes send from addresses of their own: the companies', which SPF names, and an attacker's.
"""

import json
import re
import smtplib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace

import pytest

from tests.acceptance.company import Company, company, settled_by
from tests.acceptance.outside import (
    EVILS,
    EVILS_HERE,
    FORGED,
    HONEST,
    HONEST_BY_SPF,
    OURS,
    OURS_HERE,
    Said,
    zones,
)
from tests.acceptance.postfix import Postfix, postfix
from tests.acceptance.program import DOMAIN, program
from tests.acceptance.signing import Signer
from tests.dns_server import DnsServer, dns_server

pytestmark = [pytest.mark.acceptance, pytest.mark.xdist_group("verified")]
ALIGNED = HONEST | HONEST_BY_SPF


@dataclass
class Internet:
    """mailgate as the world's mail servers meet it."""

    company: Company
    senders: dict[str, Postfix]
    keys: dict[str, Signer]
    dns: DnsServer

    def send(self, said: Said) -> tuple[str, str, Postfix]:
        """Have a mail sent; gives the record, the address that it goes to, and the server that sends it."""
        record, address = self.company.record()
        sender = self.senders[said.client]
        with smtplib.SMTP("127.0.0.1", sender.port) as client:
            client.sendmail(said.sender, [address], said.mail(self.keys, self.company.message_id()))
        return record, address, sender


@pytest.fixture(scope="module")
def internet(keys: dict[str, Signer], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Internet]:
    folder = tmp_path_factory.mktemp("verified")
    with ExitStack() as stack:
        dns = stack.enter_context(dns_server(zones(keys)))
        relay = {"name": "internet", "networks": ["127.0.0.0/8"], "trust": "verified"}
        settled = program(
            folder,
            MAILGATE_RELAYS=json.dumps([relay]),
            MAILGATE_DNS__SERVERS=json.dumps([dns.address]),
            MAILGATE_DNS__TIMEOUT_SECONDS="1",
        )
        running = stack.enter_context(company(folder, settled))
        senders = {
            client: stack.enter_context(
                postfix(
                    name=name,
                    record_domain=DOMAIN,
                    transport=f"smtp:[127.0.0.1]:{settled.smtp_port}",
                    elsewhere=f"smtp:[127.0.0.1]:{running.elsewhere.port}",
                    extra=f"smtp_bind_address = {bound}\n",
                )
            )
            for client, bound, name in ((OURS, OURS_HERE, "ours"), (EVILS, EVILS_HERE, "evil"))
        }
        yield Internet(running, senders, dict(keys), dns)


@pytest.mark.parametrize("said", ALIGNED.values(), ids=ALIGNED)
def test_what_came_from_the_authors_domain_is_kept(internet: Internet, said: Said) -> None:
    record, address, sender = internet.send(said)

    assert settled_by(sender, address) == ["sent"]
    assert internet.company.kept(record) == [(said.author, "verified")]


@pytest.mark.parametrize("said", FORGED.values(), ids=FORGED)
def test_what_did_not_is_refused(internet: Internet, said: Said) -> None:
    record, address, sender = internet.send(said)

    assert settled_by(sender, address) == ["bounced"]
    assert "550 5.7.26 [MG-TRUST]" in internet.company.notice(said.sender, address)
    assert internet.company.kept(record) == []


@pytest.mark.parametrize(("trouble", "domain"), [("TIMEOUT", "stumm.example"), ("SERVFAIL", "kaputt.example")])
def test_while_the_dns_is_down_mail_waits_and_is_then_kept_once(
    keys: dict[str, Signer], internet: Internet, trouble: str, domain: str
) -> None:
    # a domain that nobody asked about yet: what is known stays known for a while
    author, signer = f"dora@{domain}", replace(keys["muster.example"], domain=domain)
    internet.company.program.settle(author)
    internet.keys[domain] = signer
    internet.dns.change({"*.example": [trouble]})
    record, address, sender = internet.send(Said(author=author, sender=author, client=OURS, signed_by=domain))
    assert set(settled_by(sender, address)) == {"deferred"}
    assert re.search(rf"to=<{address}>.*said: 451 4[.]4[.]3 \[MG-DNS\]", sender.log)
    assert internet.company.kept(record) == []

    internet.dns.change(zones(internet.keys))
    sender.wait_for_retry(address)

    assert internet.company.kept(record) == [(author, "verified")]
