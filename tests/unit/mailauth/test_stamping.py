"""Which Authentication-Results are the relay's own, what they prove, and that nothing below them changes it."""

from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mailgate.domain import header
from mailgate.domain.address import parse_envelope
from mailgate.domain.proof import Authorship, Evidence, Proof
from mailgate.domain.trust import Client, Relay, Stamp, Trust
from mailgate.mailauth import stamping

AUTHOR = "anna@legit.test"
ID = "mx.relay.test"
ABOVE = Relay(name="gateway", trust=Trust.STAMPED, authserv_id=ID)
ABOVE_2 = replace(ABOVE, received=2)
BELOW = replace(ABOVE, stamp=Stamp.BELOW)
BELOW_2 = replace(BELOW, received=2)
MICROSOFT = replace(BELOW, authserv_id="")
SAMPLE = replace(ABOVE, received=0)

R = "Received: from pc by mx.relay.test (Postfix) with ESMTP id 4bKxyz; Sun, 22 Nov 2026 12:00:00 +0000"
DMARC = f"Authentication-Results: {ID}; dmarc=pass (p=reject) header.from=legit.test"
DKIM = f"Authentication-Results: {ID}; dkim=pass (2048-bit key) header.d=legit.test header.s=s"
FAIL = f"Authentication-Results: {ID}; dmarc=fail (p=reject) header.from=legit.test"
NONE = f"Authentication-Results: {ID}; none"
FORGED = DMARC  # the same bytes: place alone tells
HERS = "DKIM-Signature: v=1; d=legit.test; s=s; b=abc"


def examine(relay: Relay, *lines: str, sender: str = AUTHOR, author: str = AUTHOR) -> Evidence:
    raw = ("\r\n".join((*lines, f"From: <{author}>", "", "Guten Tag", ""))).encode("utf-8", "surrogateescape")
    return stamping.examine(
        Authorship(relay=relay, client=Client(), author=author, sender=sender, fields=header.split(raw), raw=raw)
    )


def stamp(said: str, authserv_id: str = ID) -> str:
    return f"Authentication-Results: {authserv_id}; {said}"


# -- place ------------------------------------------------------------------------------------------------------------

OWN: list[tuple[str, Relay, tuple[str, ...]]] = [
    ("above", ABOVE, (DMARC, R)),
    ("above, with others' Received below", ABOVE, (DMARC, R, R, R)),
    ("above, beside other fields", ABOVE, ("Return-Path: <x@legit.test>", "X-Spam: no", DMARC, "X-More: x", R)),
    ("above, beside a field with a space before the colon", ABOVE, ("X-Odd : x", DMARC, R)),
    ("below, behind a field with a space before the colon", BELOW, (R, "X-Odd : x", DMARC)),
    ("above two hops", ABOVE_2, (R, DMARC, R)),
    ("above two hops, at the top", ABOVE_2, (DMARC, R, R)),
    ("two own fields", ABOVE, (DKIM, NONE, R)),
    ("another's field above", ABOVE, (stamp("dmarc=fail header.from=legit.test", "mx.other.test"), DMARC, R)),
    ("another's field that can't be read above", ABOVE, (stamp("((", "mx.other.test"), DMARC, R)),
    ("Microsoft's form above, by a hop after the relay", ABOVE_2, ("Authentication-Results: spf=fail", R, DMARC, R)),
    ("a mailbox's first line", ABOVE, ("From anna Mon Jan  1 00:00:00 2026", DMARC, R)),
    ("below", BELOW, (R, DMARC)),
    ("below, the last field of the header", BELOW, (R, "X-A: b", DMARC)),
    ("below, before the next", BELOW, (R, "Received-SPF: pass", DMARC, R, R)),
    ("below, above forged ones", BELOW, (R, DMARC, FAIL, stamp("((("))),
    ("below two hops", BELOW_2, (R, "X-Received: by x", R, DMARC)),
    ("below, with another's field above the Received", BELOW, (FAIL, R, DMARC)),
    ("a sample without Received", SAMPLE, (DMARC,)),
    ("a sample without Received, above forged ones", SAMPLE, (DMARC, FAIL, "garbage", "Received : x")),
    ("a sample above its Received", SAMPLE, (DMARC, R)),
    ("the name in other case", ABOVE, ("AUTHENTICATION-RESULTS: MX.Relay.TEST; DMARC=Pass Header.From=LEGIT.test", R)),
    ("Microsoft's", MICROSOFT, (R, "Authentication-Results: dmarc=pass action=none header.from=legit.test")),
    *[
        (
            f"Microsoft's in a sample, {stamp.value}",
            replace(MICROSOFT, received=0, stamp=stamp),
            ("Authentication-Results: dmarc=pass action=none header.from=legit.test",),
        )
        for stamp in Stamp
    ],
]


@pytest.mark.parametrize(("relay", "lines"), [case[1:] for case in OWN], ids=[case[0] for case in OWN])
def test_the_relays_own_field_counts(relay: Relay, lines: tuple[str, ...]) -> None:
    assert examine(relay, *lines).believed


FOREIGN: list[tuple[str, Relay, tuple[str, ...]]] = [
    ("nothing", ABOVE, ()),
    ("no stamp", ABOVE, (R,)),
    ("below the Received", ABOVE, (R, FORGED)),
    ("below the Received, many", ABOVE, (R, *[FORGED] * 40)),
    ("no Received", ABOVE, (FORGED,)),
    ("a Received that is no field", ABOVE, (FORGED, "Received 1")),
    ("a Received with a space", ABOVE, (FORGED, R.replace(":", " :", 1))),
    ("one Received of two", ABOVE_2, (FORGED, R)),
    ("below both", ABOVE_2, (R, R, FORGED)),
    ("under a fail", ABOVE, (FAIL, R, FORGED)),
    ("a fail beside it", ABOVE, (DMARC, FAIL, R)),
    ("a fail above it", ABOVE, (FAIL, DMARC, R)),
    ("a fail beside a signature", ABOVE, (DKIM, FAIL, R)),
    (
        "a fail beside a signature, with a domain that can't be read",
        ABOVE,
        (DKIM, stamp("dmarc=fail header.from=?"), R),
    ),
    ("another relay's", ABOVE, (stamp("dmarc=pass header.from=legit.test", "mx.other.test"), R)),
    ("a longer name", ABOVE, (stamp("dmarc=pass header.from=legit.test", f"{ID}.attack.test"), R)),
    ("a shorter name", ABOVE, (stamp("dmarc=pass header.from=legit.test", "relay.test"), R)),
    ("a name in a comment", ABOVE, (stamp("dmarc=pass header.from=legit.test", f"attack.test ({ID})"), R)),
    (
        "a name that is alike only in Unicode",
        ABOVE,
        (stamp("dmarc=pass header.from=legit.test", "mx.relay.te\u017ft"), R),
    ),
    ("Microsoft's form under a pinned name", ABOVE, ("Authentication-Results: dmarc=pass header.from=legit.test", R)),
    (
        "Microsoft's form under a pinned name, below",
        BELOW,
        (R, "Authentication-Results: dmarc=pass header.from=legit.test"),
    ),
    ("a name where Microsoft writes none", MICROSOFT, (R, DMARC)),
    (
        "Microsoft's form above",
        replace(MICROSOFT, stamp=Stamp.ABOVE),
        ("Authentication-Results: dmarc=pass header.from=legit.test", R),
    ),
    ("below, behind the next Received", BELOW, (R, R, FORGED)),
    ("below, behind the next Received with a space", BELOW, (R, R.replace(":", " :"), FORGED)),
    ("below, behind a line that is no field", BELOW, (R, "garbage", FORGED)),
    ("below, behind a name in two lines", BELOW, (R, "Authentication-Results", " : x", FORGED)),
    ("below, behind one with a space", BELOW, (R, "Authentication-Results : x; none", FORGED)),
    ("below, not the first", BELOW, (R, NONE, FORGED)),
    ("below, not the first: another's is", BELOW, (R, stamp("none", "mx.other.test"), FORGED)),
    ("below, not the first: one that can't be read is", BELOW, (R, stamp("((("), FORGED)),
    ("below, but above", BELOW, (FORGED, R)),
    ("below two hops, between them", BELOW_2, (R, FORGED, R)),
    ("below two hops, with one", BELOW_2, (R, FORGED)),
    ("a sample's second", SAMPLE, (NONE, FORGED)),
    ("a sample's, below a Received", SAMPLE, (R, FORGED)),
    ("a sample's, below garbage", SAMPLE, ("garbage", FORGED)),
    ("with a space before the colon", ABOVE, (DMARC.replace(":", " :", 1), R)),
    ("above garbage", ABOVE, (DMARC, "garbage", R)),
    ("beside one of its own that can't be read", ABOVE, (DMARC, stamp("dmarc=fail ("), R)),
    ("beside one without a name that can't be read", ABOVE, (DMARC, "Authentication-Results: ((", R)),
    ("of another name", ABOVE, (DMARC.replace("Authentication", "X-Authentication"), R)),
    ("of ARC", ABOVE, (f"ARC-{DMARC}", R)),
    ("too many", ABOVE, (*[DMARC] * 51, R)),
]


@pytest.mark.parametrize(("relay", "lines"), [case[1:] for case in FOREIGN], ids=[case[0] for case in FOREIGN])
def test_what_is_not_the_relays_own_or_contradicts_it_never_counts(relay: Relay, lines: tuple[str, ...]) -> None:
    evidence = examine(relay, *lines)
    assert not evidence.believed
    assert not evidence.unsure
    assert evidence.proofs  # it says why


# -- what proves ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    [
        "dmarc=pass header.from=legit.test",
        "dmarc=pass header.from=LEGIT.test.",
        "dmarc=pass header.from=anna@legit.test",
        "dmarc=pass header.from=<Anna@Legit.test>",
        "dmarc=pass (p=none dis=none) d=legit.test",
        "dkim=pass header.d=legit.test",
        "dkim=pass header.d=mail.legit.test",
        "dkim=pass header.i=@legit.test",
        "dkim=pass header.i=anna@mail.legit.test",
        "dkim=pass header.d=legit.test header.i=@mail.legit.test",
        "dkim=fail header.d=legit.test; dkim=pass header.d=legit.test",
        "dkim=pass header.d=attack.test; dkim=pass header.d=legit.test",
        "dkim=pass header.d=legit.test; dmarc=none header.from=legit.test",
        "dkim=pass header.d=legit.test; dmarc=permerror header.from=legit.test",
        "spf=fail smtp.mailfrom=attack.test; dmarc=pass header.from=legit.test",
        "auth=pass smtp.auth=anna@legit.test",
        "auth=pass (plain) smtp.auth=Anna@Legit.test smtp.mailfrom=x@attack.test",
        "auth=pass smtp.auth=anna@legit.test; dmarc=fail header.from=legit.test",
    ],
)
def test_a_pass_for_the_author_proves(said: str) -> None:
    assert examine(ABOVE, stamp(said), R).believed
    assert examine(BELOW, R, stamp(said)).believed


@pytest.mark.parametrize(
    "said",
    [
        "none",
        "spf=pass smtp.mailfrom=anna@legit.test",
        "spf=pass smtp.helo=legit.test",
        "spf=pass smtp.mailfrom=anna@legit.test header.from=legit.test header.d=legit.test",
        "arc=pass (i=1 dmarc=pass fromdomain=legit.test)",
        "compauth=pass reason=100 header.from=legit.test",
        "dara=pass header.i=@legit.test",
        "x-google-dkim=pass header.d=legit.test",
        "dkim-adsp=pass header.from=anna@legit.test",
        "dmarc=pass",
        "dmarc=pass header.from=attack.test",
        "dmarc=pass header.from=mail.legit.test",
        "dmarc=pass header.from=test",
        "dmarc=pass header.from=legit.test.attack.test",
        "dmarc=pass header.from=legit.test'a",
        "dmarc=pass header.from=bob@legit.test",
        "dmarc=pass header.from=legit.test d=attack.test",
        "dmarc=pass header.from=legit.test@attack.test",
        "dmarc=bestguesspass action=none header.from=legit.test",
        "dmarc=fail header.from=legit.test",
        "dmarc=none header.from=legit.test",
        "dkim=pass",
        "dkim=pass header.d=attack.test",
        "dkim=pass header.d=legit.test.attack.test",
        "dkim=pass header.d=xlegit.test",
        "dkim=pass header.d=test",
        "dkim=pass header.d=attack.test header.i=@legit.test",
        "dkim=pass header.d=legit.test header.i=@attack.test",
        "dkim=pass header.d=legit.test@attack.test",
        "dkim=pass header.i=legit.test@attack.test",
        "dkim=pass header.d=legit.test'a.attack.test",
        "dkim=pass header.d=legit.test(.attack.test",
        "dkim=pass header.d=legit.test(.attack.test header.s=)",
        "dkim=pass header.d=legit.test(;).attack.test",
        "dkim=pass (x) header.d=attack.test (header.d=legit.test)",
        "dkim=pass header.s=legit.test",
        "dkim=pass header.from=legit.test",
        "dkim=neutral header.d=legit.test",
        "dkim=policy header.d=legit.test",
        "dkim=fail header.d=legit.test",
        "dkim=pass header.d=legit.test; dmarc=fail",
        "dkim=pass header.d=legit.test; dmarc=fail header.from=attack.test",
        "dmarc=pass header.from=legit.test; dmarc=fail header.from=legit.test",
        "auth=pass smtp.auth=anna",
        "auth=pass smtp.auth=bob@legit.test",
        "auth=pass smtp.mailfrom=anna@legit.test",
        "auth=fail smtp.auth=anna@legit.test",
    ],
)
def test_anything_else_proves_nothing(said: str) -> None:
    assert not examine(ABOVE, stamp(said), R).believed
    assert not examine(BELOW, R, stamp(said)).believed
    assert not examine(MICROSOFT, R, f"Authentication-Results: {said}").believed


def test_a_company_below_a_shared_suffix_does_not_speak_for_its_neighbour() -> None:
    for signer in ("co.uk", "other.co.uk"):
        assert not examine(ABOVE, stamp(f"dkim=pass header.d={signer}"), R, author="anna@legit.co.uk").believed
    assert examine(ABOVE, stamp("dkim=pass header.d=mail.legit.co.uk"), R, author="anna@legit.co.uk").believed


def test_a_domain_is_met_in_either_spelling() -> None:
    author = "anna@xn--mller-kva.test"
    assert examine(ABOVE, stamp("dmarc=pass header.from=m\u00fcller.test"), R, author=author).believed
    assert examine(ABOVE, stamp("dkim=pass header.d=xn--mller-kva.test"), R, author=author).believed


@pytest.mark.parametrize(
    "sender",
    [
        '"x;dmarc=pass header.from=legit.test"@attack.test',
        "invalid:x;dkim=pass header.d=legit.test",
        '"legit.test("@attack.test',
        '"a)b"@attack.test',
        '"a\\\\b"@attack.test',
    ],
)
def test_an_envelope_sender_that_could_write_results_takes_all_belief(sender: str) -> None:
    assert not examine(ABOVE, DMARC, R, sender=sender).believed


@pytest.mark.parametrize("sender", ["", "anna+tag=x@legit.test", "bounce+a=b.test@legit.test", '"a b"@legit.test'])
def test_any_other_envelope_sender_is_as_good(sender: str) -> None:
    assert examine(ABOVE, DMARC, R, sender=sender).believed


def test_each_field_and_each_result_is_told() -> None:
    evidence = examine(
        ABOVE,
        stamp("none", "mx.other.test"),
        stamp("spf=pass smtp.mailfrom=legit.test; dkim=pass header.d=attack.test; dmarc=pass header.from=legit.test"),
        R,
        FORGED,
    )
    assert [(each.method, each.result, each.proves) for each in evidence.proofs] == [
        ("stamp", "none", False),
        ("stamp", "pass", False),
        ("spf", "pass", False),
        ("dkim", "pass", False),
        ("dmarc", "pass", True),
    ]
    assert [str(each) for each in evidence.proofs][1:4] == [
        f"pass authserv-id={ID}: the relay's own field",
        "pass smtp.mailfrom=legit.test: speaks for the envelope sender, not for From",
        "pass header.d=attack.test: signed by another domain",
    ]


def test_what_is_told_holds_only_what_can_be_printed() -> None:
    said = f"dkim=pass header.d=\u202elegit.test{'x' * 500}"
    for proof in examine(ABOVE, stamp(said), R).proofs:
        assert str(proof).isascii()
        assert len(str(proof)) < 300


# -- ARC --------------------------------------------------------------------------------------------------------------


def test_an_envelope_sender_that_is_no_address_is_looked_at_whole() -> None:
    written = f'"{"x" * 80}; dmarc=pass header.from=legit.test; y"@attack.test'
    raw = f"{DMARC}\r\n{R}\r\n\r\n".encode()
    said = Authorship(
        relay=ABOVE, client=Client(), author=AUTHOR, sender=parse_envelope(written), fields=header.split(raw), raw=raw
    )
    assert ";" not in said.sender
    assert not stamping.examine(replace(said, sender_as_written=written)).believed
    assert stamping.examine(replace(said, sender_as_written=f"{'x' * 80}@attack.test")).believed


@pytest.mark.parametrize(
    "tags",
    [
        "d=attack.test; i=x=3Bdmarc=3Dpass=20header.from=3Dlegit.test=3B@attack.test",
        "d=attack.test; i=x=3bauth=3dpass=20smtp.auth=3danna@legit.test=3b@attack.test",
        "d=attack.test; I = x=3B@attack.test",
        "i=x=0D=0A@attack.test; d=attack.test",
        "d=attack.test;\r\n\ti\r\n =x=\r\n 3B@attack.test",
        "d=attack.test; i=@attack.test; i=x=3B@attack.test",
        "d=attack.test; i=x header.d=legit.test@attack.test",
        "d=attack.test; i=x(@attack.test",
        "d=attack.test; i=x=29@attack.test",
        "d=attack.test; i=x=5C@attack.test",
        "d=attack.test; i==22x=22@attack.test",
        "d=a(b.attack.test",
        "d=attack.test; s=x header.d=legit.test",
    ],
)
def test_a_signature_whose_signer_could_write_results_takes_all_belief(tags: str) -> None:
    assert not examine(ABOVE, DMARC, R, f"DKIM-Signature: v=1; {tags}; b=abc").believed
    assert not examine(ABOVE, DMARC, R, HERS, f"DKIM-Signature: v=1; b=abc; {tags}").believed


@pytest.mark.parametrize(
    "tags",
    [
        "d=legit.test; i=@legit.test; s=s",
        "d=legit.test; i=anna@legit.test",
        "d=legit.test; i=anna=2Btag=3Dx@sub.legit.test",
        " d=legit.test ;\r\n\ti=anna@\r\n\t legit.test\r\n\t; s = s1.a-b_c ",
        "d=legit.test; z=Subject:a=3Bb|From:x(y; t=1; h=from : to",
        "d=legit.test; s=s; b=a b\r\n c; bh=x y",
        "",
    ],
)
def test_any_other_signature_changes_nothing(tags: str) -> None:
    assert examine(ABOVE, DMARC, R, f"DKIM-Signature: v=1; {tags}") == examine(ABOVE, DMARC, R)


CHAIN = Evidence(proofs=(Proof(method="arc", result="pass", proves=True),), believed=True)
SEALED = replace(ABOVE, sealers=frozenset({"google.com"}))


@pytest.mark.parametrize(
    ("relay", "lines", "asked", "believed"),
    [
        (SEALED, (FAIL, R), True, True),
        (SEALED, (R,), True, True),
        (SEALED, (DMARC, R), False, True),
        (ABOVE, (FAIL, R), False, False),
    ],
)
def test_a_chain_is_asked_for_a_relay_with_sealers_where_its_stamp_proves_nothing(
    relay: Relay, lines: tuple[str, ...], asked: bool, believed: bool
) -> None:
    raw = "\r\n".join((*lines, "", "")).encode()
    said = Authorship(relay=relay, client=Client(), author=AUTHOR, sender=AUTHOR, fields=header.split(raw), raw=raw)
    met: list[Authorship] = []

    def examine_chain(one: Authorship) -> Evidence:
        met.append(one)
        return CHAIN

    evidence = stamping.examine(said, examine_chain)
    assert (bool(met), evidence.believed) == (asked, believed)


def test_a_chain_that_can_not_be_looked_up_leaves_it_open() -> None:
    raw = b"\r\n\r\n"
    said = Authorship(relay=SEALED, client=Client(), author=AUTHOR, sender=AUTHOR, fields=header.split(raw), raw=raw)
    evidence = stamping.examine(said, lambda _: Evidence(unsure=True))
    assert (evidence.believed, evidence.unsure) == (False, True)


# -- whatever stands below --------------------------------------------------------------------------------------------

# how the relay leaves the top of a mail: with a pass, a fail, nothing, or what can't be read
TOPS: list[tuple[Relay, tuple[str, ...]]] = [
    *[(ABOVE, (own, R)) for own in (DMARC, DKIM, FAIL, NONE, stamp("(("), stamp("dkim=pass header.d=attack.test"))],
    *[(BELOW, (R, own)) for own in (DMARC, DKIM, FAIL, NONE, stamp("(("), stamp("dkim=pass header.d=attack.test"))],
    (ABOVE, (R,)),
    (ABOVE, (DKIM, FAIL, R)),
    (ABOVE_2, (R, DKIM, R)),
    (ABOVE_2, (FAIL, R, R)),
    (BELOW_2, (R, R, FAIL)),
    (BELOW_2, (R, R, DMARC)),
    (MICROSOFT, (R, "Authentication-Results: dmarc=fail header.from=legit.test; dkim=pass header.d=legit.test")),
    (MICROSOFT, (R, "Authentication-Results: dmarc=pass header.from=legit.test")),
    (SAMPLE, (FAIL,)),
    (SAMPLE, (DMARC,)),
]

LINES = st.sampled_from(
    [
        R,
        DMARC,
        FAIL,
        DKIM,
        NONE,
        HERS,
        stamp("(("),
        stamp("auth=pass smtp.auth=anna@legit.test"),
        stamp("dmarc=pass header.from=legit.test", "mx.other.test"),
        "Authentication-Results: dmarc=pass header.from=legit.test",
        "Authentication-Results: dmarc=fail header.from=legit.test",
        f"ARC-Authentication-Results: i=1; {ID}; dmarc=pass header.from=legit.test",
        "ARC-Seal: i=1; cv=none; d=google.com; b=abc",
        DMARC.replace(":", " :", 1),
        R.replace(":", " :", 1),
        "authentication-results:",
        "Received:",
        "Received",
        "garbage",
        "From someone Mon Jan  1 00:00:00 2026",
        "From : <anna@legit.test>",
        "From: <anna@legit.test>",
        ":",
        "",
        "--x",
    ]
)
FIRST_LINES = LINES | st.text(alphabet="aA:;=() \t", min_size=1, max_size=20)
BELOW_THEM = st.lists(FIRST_LINES, max_size=45)


@settings(deadline=None)
@given(st.sampled_from(TOPS), BELOW_THEM, st.binary(max_size=80))
@example(TOPS[0], [FORGED] * 40, b"")
@example(TOPS[2], [FORGED] * 40, b"")
@example((BELOW, (R, FAIL)), [FORGED, R, FORGED], b"")
def test_whatever_stands_below_the_relays_fields_the_outcome_is_the_same(
    top: tuple[Relay, tuple[str, ...]], below: list[str], rest: bytes
) -> None:
    relay, own = top
    lines = "\r\n".join((*own, ""))
    # a line that starts with white space goes on with the field above it: a mail server ends its own field first
    given_below = "\r\n".join(["X-Own: x", *[line.lstrip(" \t") for line in below]]).encode()
    alone, followed = lines.encode() + b"X-Own: x\r\n\r\n", lines.encode() + given_below + b"\r\n" + rest.lstrip(b" \t")

    def outcome(raw: bytes) -> Evidence:
        fields = header.split(raw)
        return stamping.examine(
            Authorship(relay=relay, client=Client(), author=AUTHOR, sender=AUTHOR, fields=fields, raw=raw)
        )

    assert outcome(followed) == outcome(alone)


@settings(deadline=None)
@given(st.sampled_from([1, 2, 40]), st.permutations([FORGED, R, DKIM, stamp("auth=pass smtp.auth=anna@legit.test")]))
def test_copies_of_forged_fields_never_outweigh_a_fail(copies: int, forged: list[str]) -> None:
    many = [line for line in forged for _ in range(copies)]
    assert not examine(ABOVE, FAIL, R, *many).believed
    assert not examine(BELOW, R, FAIL, *many).believed
    assert not examine(ABOVE_2, FAIL, R, R, *many).believed
    assert not examine(ABOVE, R, *many).believed
