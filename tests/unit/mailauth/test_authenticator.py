"""The ``Authenticator``: which kind of trust asks what, and that nothing it meets is raised."""

import subprocess
import sys
from dataclasses import replace

import pytest

from mailgate import events
from mailgate.domain.header import split
from mailgate.domain.proof import Authorship, Evidence
from mailgate.domain.trust import NOBODY, Relay, Trust
from mailgate.mailauth import verifying
from mailgate.mailauth.authenticator import Authenticator
from mailgate.mailauth.resolver import Resolver
from tests.signing import Zone, rsa, seal, sign, zone

MAIL = b"From: anna@legit.example\r\nTo: paul@customer.example\r\nSubject: Offer\r\n\r\nHello\r\n"
SIGNED = sign(MAIL, rsa(), {"t": ""})
STAMPED_MAIL = b"Authentication-Results: mx.example; dmarc=pass header.from=legit.example\r\nReceived: by mx\r\n" + MAIL
SEALED = seal(MAIL, rsa(), "dmarc=pass header.from=legit.example", message_tags={"t": ""})

VERIFIED = Relay(name="mx", trust=Trust.VERIFIED)
STAMPED = Relay(name="mx", trust=Trust.STAMPED, authserv_id="mx.example")
SEALING = replace(STAMPED, sealers=frozenset({"list.example"}))


def said(raw: bytes, relay: Relay) -> Authorship:
    return Authorship(relay=relay, client=NOBODY, author="anna@legit.example", sender="", fields=split(raw), raw=raw)


@pytest.fixture
def dns(monkeypatch: pytest.MonkeyPatch) -> Zone:
    found = zone()
    monkeypatch.setattr(Resolver, "lookups", lambda *_: found)
    return found


@pytest.mark.usefixtures("dns")
@pytest.mark.parametrize(
    ("name", "raw", "relay", "believed"),
    [
        ("verified: signed", SIGNED, VERIFIED, True),
        ("verified: stamped", STAMPED_MAIL, VERIFIED, False),
        ("verified: sealed, and nobody is listed", SEALED, VERIFIED, False),
        ("verified: sealed by somebody listed", SEALED, replace(VERIFIED, sealers=SEALING.sealers), True),
        ("stamped: stamped", STAMPED_MAIL, STAMPED, True),
        ("stamped: signed", SIGNED, STAMPED, False),
        ("stamped: sealed, and nobody is listed", SEALED, STAMPED, False),
        ("stamped: sealed by somebody listed", SEALED, SEALING, True),
        ("vouched is never asked", SIGNED, replace(VERIFIED, trust=Trust.VOUCHED), False),
        ("none", SIGNED, replace(VERIFIED, trust=Trust.NONE), False),
    ],
)
def test_only_the_proof_of_its_own_kind_counts_for_a_relay(name: str, raw: bytes, relay: Relay, believed: bool) -> None:
    evidence = Authenticator().examine(said(raw, relay))
    assert (evidence.believed, evidence.unsure) == (believed, False), name


def test_stamps_alone_ask_nothing_of_the_dns(dns: Zone) -> None:
    Authenticator().examine(said(STAMPED_MAIL, SEALING))
    assert not dns.asked


def test_trouble_with_a_sealers_key_makes_unsure(dns: Zone) -> None:
    dns.fail_at = 1
    evidence = Authenticator().examine(said(SEALED, SEALING))
    assert (evidence.believed, evidence.unsure) == (False, True)


def test_a_bug_leaves_us_unsure_and_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[str, BaseException]] = []
    bug = RuntimeError("a bug")

    def broken(*_: object) -> Evidence:
        raise bug

    monkeypatch.setattr(verifying, "examine", broken)
    monkeypatch.setattr(events, "surprise", lambda where, error: told.append((where, error)))
    evidence = Authenticator().examine(said(SIGNED, VERIFIED))
    assert (evidence.believed, evidence.unsure) == (False, True)
    assert told == [("authenticator", bug)]


def test_whoever_only_composes_it_loads_neither_dns_nor_cryptography() -> None:
    heavy = ("dkim", "dns", "dmarc", "nacl", "spf", "publicsuffixlist", "mailgate.mailauth.results")
    code = (
        "import sys; from mailgate.mailauth.authenticator import Authenticator; Authenticator(('192.0.2.53',), 5);"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "[]\n"


def test_verifying_prints_and_logs_nothing(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    dns = zone(**{"s1._domainkey.legit.example": [b"v=DKIM1; p=AAAA"]})
    for raw in (SIGNED, SEALED, sign(MAIL, rsa(), {"a": "x", "d": "("}), MAIL):
        for each in (dns, zone()):
            verifying.examine(said(raw, replace(VERIFIED, sealers=SEALING.sealers)), each, 0.0)
    assert capfd.readouterr() == ("", "")
    assert not caplog.records
