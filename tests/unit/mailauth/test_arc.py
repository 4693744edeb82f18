"""Which ARC chains can be believed: case 46."""

import re
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailgate.domain.header import split
from mailgate.mailauth import arc
from mailgate.mailauth.arc import Chain
from mailgate.mailauth.canonical import Message
from tests.signing import NOW, SELECTOR, Zone, ed25519, rsa, seal, zone

MAIL = b"From: Anna <anna@legit.example>\r\nTo: paul@customer.example\r\nSubject: Offer\r\n\r\nHello Paul\r\n"
SAID = "dkim=pass header.d=legit.example; dmarc=pass header.from=legit.example"
ONE = seal(MAIL, rsa(), SAID)
TWO = seal(ONE, rsa(), "arc=pass", instance=2)
OTHER_BELOW = seal(seal(MAIL, rsa(), SAID, domain="attack.example"), rsa(), "arc=pass", instance=2)
LISTED = frozenset({"list.example"})


def chain(raw: bytes, dns: Zone | None = None, sealers: frozenset[str] = LISTED) -> Chain:
    return arc.validate(Message(split(raw), raw), sealers, dns or zone(), NOW)


def many(count: int) -> bytes:
    raw = MAIL
    for instance in range(1, count + 1):
        raw = seal(raw, ed25519(), "arc=pass", instance=instance, domain="ed.example")
    return raw


ED = zone(**{f"{SELECTOR}._domainkey.ed.example": [ed25519().record]})


def without(raw: bytes, field: bytes, instance: int) -> bytes:
    return re.sub(rb"(?m)^%s: [^\r]*\bi=%d;[^\r]*\r\n" % (field, instance), b"", raw)


def resealed(raw: bytes, instance: int = 2, **tags: str) -> bytes:
    return seal(raw, rsa(), "arc=pass", instance=instance, seal_tags=tags)


@pytest.mark.parametrize(
    ("name", "raw", "result", "trusted"),
    [
        ("no chain", MAIL, "none", []),
        ("one seal", ONE, "pass", [1]),
        ("two seals", TWO, "pass", [2, 1]),
        ("a Received on top", b"Received: by x\r\n" + TWO, "pass", [2, 1]),
        (
            "case 46: sealed by a domain that nobody listed",
            seal(MAIL, rsa(), SAID, domain="attack.example"),
            "policy",
            [],
        ),
        (
            "case 46: on top, one that nobody listed",
            seal(ONE, rsa(), "x=pass", instance=2, domain="attack.example"),
            "policy",
            [],
        ),
        ("case 46: the lower one is of somebody else: only the newest is read", OTHER_BELOW, "pass", [2]),
        (
            "case 46: the same, and on top of it a third",
            seal(OTHER_BELOW, rsa(), "arc=pass", instance=3),
            "pass",
            [3, 2],
        ),
        ("case 46: a sealer's subdomain", seal(MAIL, rsa(), SAID, domain="mail.legit.example"), "policy", []),
        ("case 46: cv=fail", resealed(ONE, cv="fail"), "fail", []),
        ("case 46: cv=fail, then pass", resealed(resealed(ONE, cv="fail"), 3), "fail", []),
        ("case 46: cv=none in the second", resealed(ONE, cv="none"), "fail", []),
        ("case 46: cv=pass in the first", resealed(MAIL, 1, cv="pass"), "fail", []),
        ("case 46: no cv", resealed(ONE, cv=""), "fail", []),
        ("case 46: an unknown cv", resealed(ONE, cv="great"), "fail", []),
        ("case 46: a seal with h=", resealed(ONE, h="from"), "fail", []),
        ("case 46: no instance 1", seal(MAIL, rsa(), SAID, instance=2), "fail", []),
        ("case 46: a gap", seal(ONE, rsa(), SAID, instance=3), "fail", []),
        ("case 46: the same instance twice", seal(ONE, rsa(), SAID, instance=1), "fail", []),
        ("case 46: instance 0", seal(MAIL, rsa(), SAID, instance=0), "fail", []),
        ("case 46: instance 01", ONE.replace(b"i=1;", b"i=01;"), "fail", []),
        ("case 46: i=51", seal(MAIL, rsa(), SAID, instance=51), "fail", []),
        ("case 46: no instance", ONE.replace(b"i=1;", b"j=1;"), "fail", []),
        ("case 46: no results in 1", without(TWO, b"ARC-Authentication-Results", 1), "fail", []),
        ("case 46: no message signature in 1", without(TWO, b"ARC-Message-Signature", 1), "fail", []),
        ("case 46: no seal in 1", without(TWO, b"ARC-Seal", 1), "fail", []),
        ("case 46: only results", without(without(ONE, b"ARC-Seal", 1), b"ARC-Message-Signature", 1), "fail", []),
        ("case 46: body changed after the seal", TWO + b"PS: pay\r\n", "fail", []),
        (
            "case 46: body changed before the newest seal",
            seal(ONE + b"-- \r\nlist\r\n", rsa(), "arc=pass", instance=2),
            "pass",
            [2, 1],
        ),
        ("case 46: From changed after the seal", TWO.replace(b"anna@", b"paul@"), "fail", []),
        ("case 46: a second From", b"From: paul@legit.example\r\n" + TWO, "policy", []),
        ("case 46: a second Subject", b"Subject: Bill\r\n" + TWO, "policy", []),
        (
            "case 46: a line that is no field, with which readers begin the body",
            TWO.replace(b"\r\n\r\n", b"\r\nPay me\r\n\r\n", 1),
            "policy",
            [],
        ),
        ("case 46: the newest doesn't sign From", seal(MAIL, rsa(), SAID, signed=(b"to", b"subject")), "permerror", []),
        (
            "case 46: the newest signs a part of the body",
            seal(MAIL, rsa(), SAID, message_tags={"l": "5"}),
            "policy",
            [],
        ),
        ("case 46: the newest has expired", seal(MAIL, rsa(), SAID, message_tags={"x": str(NOW - 999)}), "fail", []),
        (
            "case 46: the newest signs seals",
            seal(ONE, rsa(), SAID, instance=2, signed=(b"from", b"arc-seal")),
            "fail",
            [],
        ),
        (
            "case 46: results changed in the newest",
            TWO.replace(b"i=2; list.example; arc=pass", b"i=2; list.example; arc=fail"),
            "fail",
            [],
        ),
        ("case 46: results changed in the first", TWO.replace(b"header.d=legit", b"header.d=other"), "fail", []),
        ("case 46: rsa-sha1", ONE.replace(b"a=rsa-sha256", b"a=rsa-sha1"), "fail", []),
        ("case 46: results of 20 kB", seal(MAIL, rsa(), SAID + "; x=" + "y" * 20_000), "fail", []),
        ("case 46: 51 of each", many(51), "fail", []),
        ("no form named", seal(MAIL, rsa(), SAID, message_tags={"c": "relaxed/relaxed"}), "pass", [1]),
        ("an instance in the results with white space", ONE.replace(b"i=1; list", b" i = 1 ; list"), "fail", []),
    ],
)
def test_a_chain_holds_only_as_a_whole(name: str, raw: bytes, result: str, trusted: list[int]) -> None:
    found = chain(raw)
    assert (found.result, [each.number for each in found.trusted]) == (result, trusted), name


def test_fifty_instances_are_a_chain() -> None:
    found = chain(many(50), ED, frozenset({"ed.example"}))
    assert (found.result, len(found.trusted)) == ("pass", 50)


def test_a_chain_of_strangers_costs_no_look_up() -> None:
    dns = zone()
    assert chain(many(50), dns).result == "policy"
    assert not dns.asked


def test_a_forged_seal_does_not_wait_for_strangers_name_servers() -> None:
    sealed = seal(MAIL, rsa(), SAID, message_tags={"d": "dead.example"})
    dns = zone()
    dns.down = {f"{SELECTOR}._domainkey.dead.example"}
    assert chain(sealed, dns).result == "temperror"
    assert chain(sealed.replace(b"header.d=legit.example", b"header.d=other.example"), dns).result == "fail"


@pytest.mark.parametrize("question", [1, 2, 3])
def test_trouble_with_any_key_is_a_temporary_error(question: int) -> None:
    dns = zone()
    dns.fail_at = question
    found = chain(TWO, dns)
    assert (found.result, found.trusted) == ("temperror", ())


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: b"ARC-Seal: i=1\r\n" * 100_000 + raw,
        lambda raw: b"ARC-Authentication-Results: i=1; x\r\n" * 100_000 + raw,
        lambda raw: raw.replace(b"ARC-Seal: ", b"ARC-Seal: " + b"\r\n " * 300_000),
    ],
)
def test_case_46_any_number_of_fields_is_told_in_time(change: Callable[[bytes], bytes]) -> None:
    assert chain(change(TWO)).result == "fail"


@settings(deadline=None)
@given(st.binary(max_size=80), st.sampled_from([b"ARC-Seal", b"ARC-Message-Signature", b"ARC-Authentication-Results"]))
def test_whatever_is_added_to_a_chain_breaks_it(value: bytes, name: bytes) -> None:
    field = value.replace(b"\r", b"").replace(b"\n", b"")
    assert chain(name + b": " + field + b"\r\n" + TWO).result == "fail"
