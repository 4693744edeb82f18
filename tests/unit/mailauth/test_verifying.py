"""What proves From by our own look: cases 40 to 47 as a whole."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailgate.domain.header import split
from mailgate.domain.proof import Authorship, Evidence
from mailgate.domain.trust import Client, Relay, Trust
from mailgate.mailauth import canonical, verifying
from tests.signing import NOW, SELECTOR, Zone, rsa, seal, sign, zone

MAIL = b"From: Anna <anna@legit.example>\r\nTo: paul@customer.example\r\nSubject: Offer\r\n\r\nHello Paul\r\n"
ANNA = "anna@legit.example"
RELAY = Relay(name="mx", trust=Trust.VERIFIED)
SEALED_RELAY = Relay(name="mx", trust=Trust.VERIFIED, sealers=frozenset({"list.example"}))
SENDING = Client(ip_address("192.0.2.1"), "mail.legit.example")
STRANGER = Client(ip_address("198.51.100.9"), "mail.legit.example")
NONE = b"v=DMARC1; p=none"

SPF = {
    name: [b"v=spf1 ip4:192.0.2.1 -all"] for name in ("legit.example", "mail.legit.example", "attack.example", "co.uk")
}


def dmarc(record: bytes, domain: str = "legit.example") -> dict[str, list[bytes]]:
    return {f"_dmarc.{domain}": [record]}


def examine(
    raw: bytes,
    dns: Zone,
    *,
    relay: Relay = RELAY,
    client: Client = STRANGER,
    sender: str = "bounce@attack.example",
    author: str = ANNA,
) -> Evidence:
    said = Authorship(relay=relay, client=client, author=author, sender=sender, fields=split(raw), raw=raw)
    return verifying.examine(said, dns, NOW)


def results(evidence: Evidence) -> dict[str, str]:
    return {proof.method: proof.result for proof in evidence.proofs}


@pytest.mark.parametrize(
    ("name", "signer", "records", "believed"),
    [
        ("the author's domain", "legit.example", {}, True),
        ("the author's domain, in capitals", "LEGIT.Example", {}, True),
        ("a name of the same organisation", "mail.legit.example", {}, True),
        ("the same, and the domain has a policy", "mail.legit.example", dmarc(NONE), True),
        ("case 45: the same, but adkim=s", "mail.legit.example", dmarc(NONE + b"; adkim=s"), False),
        ("case 45: the very domain, and adkim=s", "legit.example", dmarc(NONE + b"; adkim=s"), True),
        ("case 45: the very domain, and p=reject", "legit.example", dmarc(b"v=DMARC1; p=reject; sp=reject"), True),
        (
            "case 45: two records are none",
            "mail.legit.example",
            {"_dmarc.legit.example": [NONE + b"; adkim=s"] * 2},
            True,
        ),
        ("case 45: another domain", "attack.example", {}, False),
        ("case 45: another domain, and a policy", "attack.example", dmarc(NONE), False),
        (
            "case 45: the policy of the other domain says nothing",
            "attack.example",
            dmarc(NONE, "attack.example"),
            False,
        ),
    ],
)
def test_a_signature_proves_for_its_own_organisation(
    name: str, signer: str, records: Mapping[str, Sequence[bytes]], believed: bool
) -> None:
    evidence = examine(sign(MAIL, rsa(), {"d": signer}), zone(**records))
    assert (evidence.believed, evidence.unsure) == (believed, False), name
    assert results(evidence)["dkim"] == "pass", name


@pytest.mark.parametrize("author", ["anna@legit.co.uk", "anna@co.uk"])
def test_case_45_a_public_suffix_signs_for_nobody(author: str) -> None:
    raw = MAIL.replace(ANNA.encode(), author.encode())
    evidence = examine(sign(raw, rsa(), {"d": "co.uk"}), zone(), author=author)
    assert (evidence.believed, evidence.unsure) == (False, False)


@pytest.mark.parametrize(
    ("name", "sender", "client", "records", "expected"),
    [
        ("aligned, and a policy", ANNA, SENDING, dmarc(NONE), ("pass", True)),
        ("aligned with a subdomain", "x@mail.legit.example", SENDING, dmarc(NONE), ("pass", True)),
        ("case 44: aligned, and no policy", ANNA, SENDING, {}, ("pass", False)),
        ("case 44: another domain", "x@attack.example", SENDING, dmarc(NONE), ("pass", False)),
        ("case 44: another server", ANNA, STRANGER, dmarc(NONE), ("fail", False)),
        ("case 44: the null sender, and HELO's name passes", "", SENDING, dmarc(NONE), ("pass", False)),
        (
            "case 44: a sender that can't be read, of a HELO that passes",
            "invalid:x",
            SENDING,
            dmarc(NONE),
            ("none", False),
        ),
        ("case 44: no address of the server is known", ANNA, Client(), dmarc(NONE), ("none", False)),
        (
            "case 45: a subdomain, and aspf=s",
            "x@mail.legit.example",
            SENDING,
            dmarc(NONE + b"; aspf=s"),
            ("pass", False),
        ),
        ("case 45: the very domain, and aspf=s", ANNA, SENDING, dmarc(NONE + b"; aspf=s"), ("pass", True)),
        ("case 45: a subdomain that is not there", "x@no.legit.example", SENDING, dmarc(NONE), ("none", False)),
        ("case 45: a public suffix", "x@co.uk", SENDING, dmarc(NONE), ("pass", False)),
        ("two policies are none", ANNA, SENDING, {"_dmarc.legit.example": [NONE, NONE]}, ("pass", False)),
    ],
)
def test_spf_proves_only_for_a_domain_with_a_policy(
    name: str, sender: str, client: Client, records: Mapping[str, Sequence[bytes]], expected: tuple[str, bool]
) -> None:
    spf, believed = expected
    evidence = examine(MAIL, zone(**SPF, **records), sender=sender, client=client)
    assert (evidence.believed, evidence.unsure, results(evidence)["spf"]) == (believed, False, spf), name
    assert not any(proof.proves for proof in evidence.proofs if proof.method == "spf")


@pytest.mark.parametrize(
    ("network", "believed"),
    [
        ("192.0.2.0/24", False),
        ("192.0.2.1/32", False),
        ("192.0.0.0/9", False),
        ("192.0.0.0/8", True),
        ("0.0.0.0/0", True),
        ("203.0.113.0/24", True),
        ("2001:db8::/32", True),
    ],
)
def test_case_44_spf_says_nothing_about_the_relay_itself(network: str, believed: bool) -> None:
    relay = replace(RELAY, networks=(ip_network(network),))
    dns = zone(**SPF, **dmarc(NONE))
    evidence = examine(MAIL, dns, sender=ANNA, client=SENDING, relay=relay)
    assert (evidence.believed, evidence.unsure) == (believed, False)
    assert ("legit.example" in dns.asked) is believed


def test_case_44_an_ipv4_client_of_a_listener_for_both_is_the_same_client() -> None:
    mapped = Client(ip_address("::ffff:192.0.2.1"), "mail.legit.example")
    dns = zone(**SPF, **dmarc(NONE))
    assert examine(MAIL, dns, sender=ANNA, client=mapped).believed
    own = replace(RELAY, networks=(ip_network("192.0.2.0/24"),))
    assert not examine(MAIL, dns, sender=ANNA, client=mapped, relay=own).believed


def test_a_signature_proves_whoever_hands_it_over() -> None:
    relay = replace(RELAY, networks=(ip_network("192.0.2.0/24"),))
    assert examine(sign(MAIL, rsa()), zone(), client=SENDING, relay=relay).believed


SAID = "dkim=pass header.d=legit.example; spf=pass smtp.mailfrom=legit.example; dmarc=pass header.from=legit.example"
CHANGED = seal(sign(MAIL, rsa()), rsa(), SAID).replace(b"Hello", b"HeIIo")


@pytest.mark.parametrize(
    ("name", "raw", "believed"),
    [
        ("a pass of the author's", seal(MAIL, rsa(), SAID), True),
        ("a pass of DKIM alone", seal(MAIL, rsa(), "dkim=pass header.d=mail.legit.example"), True),
        ("a pass of SPF alone", seal(MAIL, rsa(), "spf=pass smtp.mailfrom=legit.example"), False),
        ("a pass of somebody else's", seal(MAIL, rsa(), SAID.replace("legit", "attack")), False),
        ("no pass", seal(MAIL, rsa(), SAID.replace("pass", "fail")), False),
        ("nothing", seal(MAIL, rsa(), "none"), False),
        ("what can't be read", seal(MAIL, rsa(), "dkim=pass (header.d=legit.example"), False),
        ("a signature that the list broke", seal(sign(MAIL, rsa()).replace(b"Hello", b"Hi"), rsa(), SAID), True),
        ("case 46: an unknown sealer", seal(MAIL, rsa(), SAID, domain="attack.example"), False),
        ("case 46: changed after the seal", CHANGED, False),
        (
            "case 46: an unknown sealer's word below a known one's seal",
            seal(seal(MAIL, rsa(), SAID, domain="attack.example"), rsa(), "arc=pass", instance=2),
            False,
        ),
        (
            "case 46: a known one's word below an unknown one's seal",
            seal(seal(MAIL, rsa(), SAID), rsa(), "arc=pass", instance=2, domain="attack.example"),
            False,
        ),
        (
            "a known one's word below its second seal",
            seal(seal(MAIL, rsa(), SAID), rsa(), "arc=pass; dmarc=fail header.from=legit.example", instance=2),
            True,
        ),
    ],
)
def test_case_46_a_listed_sealer_proves(name: str, raw: bytes, believed: bool) -> None:
    evidence = examine(raw, zone(), relay=SEALED_RELAY)
    assert (evidence.believed, evidence.unsure) == (believed, False), name
    assert not examine(raw, zone()).believed, name


@pytest.mark.parametrize(
    ("name", "raw", "down", "believed", "unsure"),
    [
        ("the key of the author's domain", sign(MAIL, rsa()), "s1._domainkey.legit.example", False, True),
        ("the policy, for the very domain", sign(MAIL, rsa()), "_dmarc.legit.example", True, False),
        (
            "the policy, for another name",
            sign(MAIL, rsa(), {"d": "mail.legit.example"}),
            "_dmarc.legit.example",
            False,
            True,
        ),
        ("the policy, where nothing was signed", MAIL, "_dmarc.legit.example", False, True),
        (
            "the key of a stranger's",
            sign(MAIL, rsa(), {"d": "attack.example"}),
            "s1._domainkey.attack.example",
            False,
            False,
        ),
        (
            "the key of a stranger's, beside a good one",
            sign(sign(MAIL, rsa()), rsa(), {"d": "attack.example"}),
            "s1._domainkey.attack.example",
            True,
            False,
        ),
        (
            "the key, where the body was changed",
            sign(MAIL, rsa()) + b"x\r\n",
            "s1._domainkey.legit.example",
            False,
            False,
        ),
        ("SPF of a stranger's", MAIL, "attack.example", False, False),
    ],
)
def test_case_47_trouble_makes_unsure_only_where_it_could_have_been_a_proof(
    name: str, raw: bytes, down: str, believed: bool, unsure: bool
) -> None:
    dns = zone(**SPF)
    dns.down = {down}
    evidence = examine(raw, dns)
    assert (evidence.believed, evidence.unsure) == (believed, unsure), name


@pytest.mark.parametrize(
    ("down", "unsure"),
    [("legit.example", True), ("_dmarc.legit.example", True), ("s1._domainkey.legit.example", False)],
)
def test_case_47_trouble_with_spf_or_its_policy_makes_unsure(down: str, unsure: bool) -> None:
    dns = zone(**SPF, **dmarc(NONE))
    dns.down = {down}
    evidence = examine(MAIL, dns, sender=ANNA, client=SENDING)
    assert (evidence.believed, evidence.unsure) == (not unsure, unsure)


def test_case_47_trouble_with_spf_does_not_matter_where_no_policy_would_let_it_prove() -> None:
    dns = zone(**SPF)
    dns.down = {"legit.example"}
    evidence = examine(MAIL, dns, sender=ANNA, client=SENDING)
    assert (evidence.believed, evidence.unsure) == (False, False)


HONEST = {
    "signed": (sign(MAIL, rsa()), {}, RELAY, "bounce@attack.example", STRANGER),
    "signed by another name": (sign(MAIL, rsa(), {"d": "mail.legit.example"}), {}, RELAY, "", STRANGER),
    "by SPF": (MAIL, dmarc(NONE), RELAY, ANNA, SENDING),
    "sealed": (seal(MAIL, rsa(), SAID), {}, SEALED_RELAY, "x@list.example", STRANGER),
    "all of it": (seal(sign(MAIL, rsa()), rsa(), SAID), dmarc(NONE), SEALED_RELAY, ANNA, SENDING),
}
FORGED = {
    "not signed": (MAIL, dmarc(NONE), RELAY, ANNA, STRANGER),
    "signed by a stranger": (sign(MAIL, rsa(), {"d": "attack.example"}), {}, RELAY, "x@attack.example", SENDING),
    "adkim=s": (sign(MAIL, rsa(), {"d": "mail.legit.example"}), dmarc(NONE + b"; adkim=s"), RELAY, "", STRANGER),
    "aspf=s": (MAIL, dmarc(NONE + b"; aspf=s"), RELAY, "x@mail.legit.example", SENDING),
    "SPF without a policy": (MAIL, {}, RELAY, ANNA, SENDING),
    "changed": (sign(MAIL, rsa()) + b"x\r\n", {}, RELAY, "", SENDING),
    "sealed by a stranger": (seal(MAIL, rsa(), SAID, domain="attack.example"), {}, SEALED_RELAY, "", STRANGER),
    "sealed by a list, which knows nothing": (seal(MAIL, rsa(), "spf=pass"), {}, SEALED_RELAY, "", STRANGER),
}
NEVER = 99


@pytest.mark.parametrize("name", [*HONEST, *FORGED])
@pytest.mark.parametrize("question", [*range(1, 9), NEVER])
def test_case_47_whichever_question_fails_nobody_is_believed_for_it(name: str, question: int) -> None:
    raw, records, relay, sender, client = {**HONEST, **FORGED}[name]
    dns = zone(**SPF, **records)
    dns.fail_at = question
    evidence = examine(raw, dns, relay=relay, sender=sender, client=client)
    if name in HONEST:
        assert evidence.believed is not evidence.unsure
        assert evidence.believed or len(dns.asked) >= question
    else:
        assert not evidence.believed
    assert not (evidence.believed and evidence.unsure)


WHOLE = (sign(MAIL, rsa(1024)), seal(sign(MAIL, rsa(1024)), rsa(1024), SAID), seal(MAIL, rsa(1024), SAID))
SHORT_KEYS = {f"{SELECTOR}._domainkey.{domain}": [rsa(1024).record] for domain in ("legit.example", "list.example")}
BYTES = (
    b" ",
    b";",
    b"=",
    b":",
    b"\r\n",
    b"\r\n ",
    b"\t",
    b"\0",
    b"a",
    b"1",
    b"\xff",
    b"From: x@y.example\r\n",
    b"; l=1;",
)


@settings(deadline=None)
@given(
    st.sampled_from(WHOLE),
    st.lists(
        st.tuples(st.floats(0, 1), st.integers(0, 9), st.sampled_from(BYTES) | st.binary(max_size=9)),
        min_size=1,
        max_size=4,
    ),
)
def test_whatever_is_changed_a_mail_is_believed_only_with_its_author_and_its_body(
    raw: bytes, changes: list[tuple[float, int, bytes]]
) -> None:
    for place, length, put in changes:
        at = int(place * len(raw))
        raw = raw[:at] + put + raw[at + length :]
    evidence = examine(raw, zone(**SHORT_KEYS), relay=SEALED_RELAY)
    if evidence.believed:
        header = split(raw)
        assert [field.split() for field in header.values(b"from")] == [[b"Anna", b"<anna@legit.example>"]]
        assert canonical.relaxed(raw[header.body :]) == b"Hello Paul\r\n"


def test_explain_shows_everything_that_was_looked_at() -> None:
    raw = sign(sign(MAIL, rsa()), rsa(), {"d": "attack.example"})
    evidence = examine(raw, zone(**SPF, **dmarc(NONE + b"; t=y")), sender=ANNA, client=SENDING, relay=SEALED_RELAY)
    assert [(proof.method, proof.inputs, proof.result, proof.why) for proof in evidence.proofs] == [
        (
            "dkim",
            (("header.d", "legit.example"), ("header.s", "s1"), ("header.a", "rsa-sha256")),
            "pass",
            "the domain signed From and the whole body",
        ),
        (
            "dkim",
            (("header.d", "attack.example"), ("header.s", "s1"), ("header.a", "rsa-sha256")),
            "pass",
            "good, but of a domain that does not speak for the author's",
        ),
        (
            "spf",
            (("smtp.mailfrom", "legit.example"), ("smtp.remote-ip", "192.0.2.1")),
            "pass",
            "it speaks for the envelope sender, not for From",
        ),
        (
            "dmarc",
            (
                ("header.from", "legit.example"),
                ("policy.dmarc", "none"),
                ("policy.at", "legit.example"),
                ("policy.t", "y"),
            ),
            "pass",
            "a signature speaks for the author's domain",
        ),
        ("arc", (), "none", "the mail has no ARC chain"),
    ]


def test_no_byte_of_a_mail_is_shown_that_is_not_a_plain_name() -> None:
    raw = sign(MAIL, rsa(), {"d": "x\x1b[31m.example", "s": "\x07bell"})
    raw = sign(raw, rsa(), {"d": "münchen.example"}).replace(b"; a=rsa-sha256", b"; a=rsa-\x1b[31m", 1)
    for proof in examine(raw, zone(), relay=SEALED_RELAY).proofs:
        assert str(proof).isascii()
        assert str(proof).isprintable()


def test_signatures_that_were_not_tried_are_counted() -> None:
    raw = sign(MAIL, rsa(), {"d": "attack.example"})[: -len(MAIL)] * 30 + MAIL
    last = [proof for proof in examine(raw, zone()).proofs if proof.method == "dkim"][-1]
    assert (last.result, last.why) == ("policy", "20 more signatures were not tried")


def test_the_selector_is_of_the_signature() -> None:
    dns = zone()
    examine(sign(MAIL, rsa(), {"s": "other"}), dns)
    assert f"{SELECTOR}._domainkey.legit.example" not in dns.asked
