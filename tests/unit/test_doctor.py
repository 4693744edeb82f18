"""Which kinds of trust a mail supports that the admin has sent through the relay, and where its stamp stands."""

import tomllib
from pathlib import Path

import pytest

from mailgate.app import policy
from mailgate.doctor import GUARD, MAX_SHOWN, MISALIGNED, NO_STAMP, SIGN, examine_relay
from mailgate.domain import header
from mailgate.domain.diagnosis import Diagnosis, Supported
from mailgate.domain.proof import Authorship, Evidence, Proof
from mailgate.domain.trust import Client, Relay, SenderPair, Stamp, Trust
from mailgate.errors import BadInput
from mailgate.mailauth import stamping
from mailgate.settings import load

AUTHOR = "anna@muster.test"
POSTFIX = (
    "Received: from pc (pc.muster.test [192.0.2.7])\r\n\t(Authenticated sender: {login})\r\n\tby {by} (Postfix) with "
    "ESMTPSA id 4bKxyz\r\n\tfor <x@log.test>; Sun, 22 Nov 2026 12:00:00 +0000"
)
LOGGED_IN = POSTFIX.format(login=AUTHOR, by="mx.muster.test")
GOOGLE = (
    "Received: by 2002:a05:6a10:1234 with SMTP id abc; Sun, 22 Nov 2026 12:00:00 -0800 (PST)",
    "X-Received: by 2002:a05:1 with SMTP id abc; Sun, 22 Nov 2026 12:00:00 -0800 (PST)",
    "ARC-Authentication-Results: i=1; mx.google.test; dkim=pass header.i=@muster.test",
    "Return-Path: <anna@muster.test>",
    "Received: from mail.muster.test by mx.google.test with ESMTPS id x1 for <x@log.test>; Sun, 22 Nov 2026",
    "Received-SPF: pass",
    "Authentication-Results: mx.google.test; dkim=pass header.i=@muster.test; dmarc=pass header.from=muster.test",
)
MICROSOFT = (
    "Received: from a.prod.outlook.test by b.prod.outlook.test with HTTPS; Sun, 22 Nov 2026",
    "Received: from c.prod.outlook.test by a.prod.outlook.test with Microsoft SMTP Server (version=TLS1_3) id 15.20; x",
    "Received: from mail.muster.test by c.mail.protection.outlook.test with Microsoft SMTP Server id 15.20.1; Sun",
    (
        "Authentication-Results: spf=pass (sender IP is 192.0.2.1) smtp.mailfrom=muster.test; dkim=pass (signature was "
        "verified) header.d=muster.test;dmarc=pass action=none header.from=muster.test;compauth=pass reason=100"
    ),
)
R1 = "Received: from x by inner.muster.test with LMTP id 1; Sun"
R2 = "Received: from pc by mx.muster.test with ESMTPS id 2; Sun"
THEIRS = "Received: from pc by mail.sender.test with ESMTPSA id 3; Sun"
DKIM = "Authentication-Results: {id}; dkim=pass header.d=muster.test header.s=s"
OURS = DKIM.format(id="mx.muster.test")
DENIED = "Authentication-Results: mx.muster.test; dkim=none; dmarc=fail header.from=muster.test"


def mail(*lines: str) -> bytes:
    return "\r\n".join((*lines, f"From: Anna <{AUTHOR}>", "Subject: Test", "", "Guten Tag", "")).encode()


def nothing(_said: Authorship) -> Evidence:
    return Evidence(proofs=(Proof(method="dkim", result="none", why="no signature"),))


def kinds(found: Diagnosis) -> dict[Trust, Supported]:
    return {kind.trust: kind for kind in found.kinds}


# -- stamped ----------------------------------------------------------------------------------------------------------

PLACES: list[tuple[str, tuple[str, ...], tuple[str, int, Stamp]]] = [
    ("Postfix with OpenDKIM", (OURS, LOGGED_IN), ("mx.muster.test", 1, Stamp.ABOVE)),
    ("the same, from outside", (OURS, R2, THEIRS), ("mx.muster.test", 1, Stamp.ABOVE)),
    ("a name that no server has", (DKIM.format(id="filter"), R2, THEIRS), ("filter", 1, Stamp.ABOVE)),
    ("a hop of ours behind it", (R1, OURS, R2, THEIRS), ("mx.muster.test", 1, Stamp.BELOW)),
    ("Google", (*GOOGLE, THEIRS), ("mx.google.test", 2, Stamp.BELOW)),
    ("Google, written by a client", GOOGLE, ("mx.google.test", 2, Stamp.BELOW)),
    ("Microsoft", (*MICROSOFT, THEIRS), ("", 3, Stamp.BELOW)),
    ("a sample", (OURS,), ("mx.muster.test", 0, Stamp.ABOVE)),
    ("Microsoft's sample", (MICROSOFT[-1],), ("", 0, Stamp.BELOW)),
    (
        "behind fields of others that prove nothing",
        (DKIM.format(id="mx.other.test").replace("pass", "none"), OURS, R2),
        ("mx.muster.test", 1, Stamp.ABOVE),
    ),
]


@pytest.mark.parametrize(("lines", "place"), [case[1:] for case in PLACES], ids=[case[0] for case in PLACES])
def test_the_place_of_the_stamp_is_measured(
    lines: tuple[str, ...], place: tuple[str, int, Stamp], tmp_path: Path
) -> None:
    raw = mail(*lines)
    stamped = kinds(examine_relay(raw, AUTHOR, nothing))[Trust.STAMPED]
    assert stamped.supported
    relay = _registered(stamped, tmp_path)
    assert (relay.authserv_id, relay.received, relay.stamp) == place
    said = Authorship(relay=relay, client=Client(), author=AUTHOR, sender=AUTHOR, fields=header.split(raw), raw=raw)
    assert stamping.examine(said).believed


def _registered(kind: Supported, folder: Path) -> Relay:
    """Paste the settings into a file, and start from it."""
    file = folder / "mailgate.toml"
    text = "\n".join(('[addresses]\ndomain = "log.test"', *kind.settings))
    assert tomllib.loads(text)
    file.write_text(text)
    (relay,) = policy(load(file, {"MAILGATE_DATA_DIR": str(folder)})).relays
    assert relay.trust is kind.trust
    return relay


@pytest.mark.parametrize(
    "lines",
    [
        (R1, DKIM.format(id="mail.sender.test"), THEIRS),
        (R2, DKIM.format(id="filter")),
        (R2, DKIM.format(id="filter"), THEIRS),
    ],
)
def test_a_stamp_that_may_be_of_the_senders_side_is_left_open(lines: tuple[str, ...]) -> None:
    stamped = kinds(examine_relay(mail(*lines), None, nothing))[Trust.STAMPED]
    assert stamped.supported is None
    assert "can't be told" in stamped.why


@pytest.mark.parametrize(
    ("lines", "todo"),
    [
        ((LOGGED_IN,), NO_STAMP),
        ((DKIM.format(id="mx.muster.test (("), R2), NO_STAMP),
        ((OURS.replace("d=muster", "d=other"), R2), MISALIGNED),
        ((OURS.replace("dkim=pass", "dkim=fail"), R2), MISALIGNED),
        (("Authentication-Results: mx.muster.test; spf=pass smtp.mailfrom=muster.test", R2), MISALIGNED),
        ((OURS, OURS.replace(":", " :", 1), R2), MISALIGNED),
        ((DENIED, R2, OURS, THEIRS), MISALIGNED),
        ((DENIED, R2, OURS, R2, OURS, THEIRS), MISALIGNED),
        ((R2, DENIED, R1, OURS), MISALIGNED),
    ],
)
def test_what_to_do_where_the_stamp_proves_nothing(lines: tuple[str, ...], todo: str) -> None:
    stamped = kinds(examine_relay(mail(*lines), None, nothing))[Trust.STAMPED]
    assert (stamped.supported, stamped.todo, stamped.settings) == (False, todo, ())
    assert stamped.why


# -- vouched ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sender", "supported"), [(AUTHOR, True), ("boss@muster.test", True), ("bob@muster.test", False), (None, None)]
)
def test_vouched_needs_the_envelope_sender_or_a_pair(sender: str | None, supported: bool | None) -> None:
    pairs = frozenset({SenderPair("boss@muster.test", AUTHOR)})
    vouched = kinds(examine_relay(mail(R2), sender, nothing, pairs=pairs))[Trust.VOUCHED]
    assert vouched.supported is supported
    assert (vouched.todo == GUARD) is (supported is False)
    assert bool(vouched.settings) is bool(supported)


@pytest.mark.parametrize(("lines", "received"), [((LOGGED_IN,), 1), ((R1, LOGGED_IN), 2), ((R1, R2), None), ((), None)])
def test_the_login_is_found_where_it_stands(lines: tuple[str, ...], received: int | None, tmp_path: Path) -> None:
    vouched = kinds(examine_relay(mail(*lines), AUTHOR, nothing))[Trust.VOUCHED]
    relay = _registered(vouched, tmp_path)
    assert (relay.received if relay.login else None) == received


# -- verified ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("evidence", "supported"),
    [
        (Evidence(proofs=(Proof(method="dkim", result="pass", proves=True),), believed=True), True),
        (Evidence(unsure=True), None),
        (Evidence(), False),
    ],
)
def test_verified_is_what_our_own_look_says(evidence: Evidence, supported: bool | None) -> None:
    asked: list[Authorship] = []

    def verify(said: Authorship) -> Evidence:
        asked.append(said)
        return evidence

    verified = kinds(examine_relay(mail(R2), None, verify))[Trust.VERIFIED]
    assert verified.supported is supported
    assert (verified.todo == SIGN) is (supported is False)
    assert [(one.relay.trust, one.author) for one in asked] == [(Trust.VERIFIED, AUTHOR)]


# -- what stands there ------------------------------------------------------------------------------------------------


def test_each_received_and_each_stamp_is_shown_with_its_place() -> None:
    found = examine_relay(mail(OURS, LOGGED_IN, R1, DKIM.format(id="x ((")), None, nothing)
    assert [(hop.n, hop.by, hop.protocol, hop.id, hop.login) for hop in found.hops] == [
        (1, "mx.muster.test", "ESMTPSA", "4bKxyz", AUTHOR),
        (2, "inner.muster.test", "LMTP", "1", ""),
    ]
    assert [(one.below, one.authserv_id, one.results, one.proves) for one in found.stamps] == [
        (0, "mx.muster.test", ("dkim=pass header.d=muster.test",), True),
        (2, "", None, False),
    ]


def test_what_a_stranger_wrote_is_shown_bounded_and_printable() -> None:
    odd = "Authentication-Results: \u202emx\x1b; dkim=pass header.d=\u202e" + "x" * 1000
    found = examine_relay(mail(*[R2] * 100, *[odd] * 100, f"Received: by {'y' * 500} with \x1b id \u202e"), "", nothing)
    assert len(found.hops) == len(found.stamps) == MAX_SHOWN
    assert repr(found).isascii()
    assert max(len(result) for one in found.stamps for result in one.results or ("",)) < 500


@pytest.mark.parametrize("raw", [b"", b"Subject: x\r\n\r\n", b"From: a@b.test, c@d.test\r\n\r\n"])
def test_a_mail_without_one_author_is_refused(raw: bytes) -> None:
    with pytest.raises(BadInput, match="one plain From"):
        examine_relay(raw, None, nothing)
