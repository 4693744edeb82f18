"""Signed, sealed and plain mails from ``fixtures/signed``, judged over real sockets against ``fixtures/zones``."""

from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from mailgate.domain.header import split
from mailgate.domain.proof import Authorship, Evidence
from mailgate.domain.trust import Client, Relay, Trust
from mailgate.mailauth.authenticator import Authenticator
from tests.dns_server import Zones, dns_server, zone_file

MAILS = Path(__file__).parents[3] / "fixtures" / "signed"
ANNA = "anna@legit.example"
RELAY = Relay(
    name="edge", networks=(ip_network("0.0.0.0/0"),), trust=Trust.VERIFIED, sealers=frozenset({"list.example"})
)


def examine(mail: str, client: str, zones: Zones, author: str = ANNA) -> Evidence:
    raw = (MAILS / mail).read_bytes()
    said = Authorship(
        relay=RELAY, client=Client(ip_address(client), "mx"), author=author, sender=ANNA, fields=split(raw), raw=raw
    )
    with dns_server(zones) as server:
        return Authenticator([server.address], 2).examine(said)


@pytest.mark.parametrize(
    ("mail", "client", "proved_by"),
    [
        ("rsa.eml", "198.51.100.9", {"dkim", "dmarc"}),
        ("sealed.eml", "198.51.100.9", {"dkim", "dmarc"}),  # in what the sealer wrote down
        ("plain.eml", "192.0.2.1", {"dmarc"}),  # SPF, by the author's policy
        ("plain.eml", "198.51.100.9", set()),
    ],
)
def test_a_mail_is_judged_by_what_the_zone_says(mail: str, client: str, proved_by: set[str]) -> None:
    found = examine(mail, client, zone_file("signed"))
    assert {proof.method for proof in found.proofs if proof.proves} == proved_by
    assert (found.believed, found.unsure) == (bool(proved_by), False)


def test_where_the_zone_gives_only_trouble_nothing_is_believed_and_nothing_refused() -> None:
    found = examine("rsa.eml", "192.0.2.1", {name: ["SERVFAIL"] for name in zone_file("signed")})
    assert (found.believed, found.unsure) == (False, True)


def test_another_authors_mail_is_not_believed() -> None:
    assert not examine("rsa.eml", "192.0.2.1", zone_file("signed"), "eve@other.example").believed
