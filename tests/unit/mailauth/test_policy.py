"""What DMARC records say: RFC 7489 and its successor RFC 9989."""

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailgate.mailauth import policy
from mailgate.mailauth.policy import Policy
from mailgate.mailauth.resolver import Trouble
from tests.signing import Zone

AUTHOR = "legit.example"


def find(domain: str, records: Mapping[str, Sequence[bytes]]) -> Policy | None:
    return policy.find(Zone({f"_dmarc.{name}": list(texts) for name, texts in records.items()}), domain)


def read(record: bytes) -> Policy | None:
    return find(AUTHOR, {AUTHOR: [record]})


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (b"v=DMARC1; p=none", Policy(at=AUTHOR, wish="none")),
        (b"v=DMARC1;p=reject", Policy(at=AUTHOR, wish="reject")),
        (b"v=DMARC1; p=quarantine;", Policy(at=AUTHOR, wish="quarantine")),
        (b" v = DMARC1 ; p = REJECT ; ", Policy(at=AUTHOR, wish="reject")),
        (b"v=DMARC1; p=reject; sp=none", Policy(at=AUTHOR, wish="reject")),
        (b"v=DMARC1; p=reject; adkim=s", Policy(at=AUTHOR, wish="reject", strict_dkim=True)),
        (b"v=DMARC1; p=reject; aspf=s", Policy(at=AUTHOR, wish="reject", strict_spf=True)),
        (b"v=DMARC1; p=reject; adkim=r; aspf=r", Policy(at=AUTHOR, wish="reject")),
        (b"v=DMARC1; adkim=s; p=reject", Policy(at=AUTHOR, wish="reject", strict_dkim=True)),
        (b"v=DMARC1; p=reject; adkim=strict", Policy(at=AUTHOR, wish="reject")),
        (b"v=DMARC1; p=reject; t=y", Policy(at=AUTHOR, wish="reject", testing=True)),
        (b"v=DMARC1; p=reject; pct=what; ri=x; fo=zz; rf=q", Policy(at=AUTHOR, wish="reject")),
        (b"v=DMARC1;; p=reject", Policy(at=AUTHOR, wish="reject")),
        (b"v=DMARC1; p=reject; np=reject; unknown=1", Policy(at=AUTHOR, wish="reject")),
        (b"v=DMARC1; p=reject; psd=n", Policy(at=AUTHOR, wish="reject", top=AUTHOR)),
        (b"v=DMARC1; p=reject; psd=y", Policy(at=AUTHOR, wish="reject")),
        (b"v=DMARC1; rua=mailto:d@legit.example", Policy(at=AUTHOR, wish="none")),
        (b"v=DMARC1; rua=mailto:d@legit.example; p=block", Policy(at=AUTHOR, wish="none")),
        (b"v=DMARC1; p=block", None),
        (b"v=DMARC1", None),
        (b"v=DMARC1; p", None),
        (b"v=dmarc1; p=reject", None),
        (b"v=DMARC2; p=reject", None),
        (b"v=DMARC10; p=reject", None),
        (b"p=reject; v=DMARC1", None),
        (b"v=spf1 -all", None),
        (b"", None),
        (b"\xff\xfe", None),
        (b"v=DMARC1; p=reject; n=" + b"x" * 5000, None),
    ],
)
def test_a_record_says(record: bytes, expected: Policy | None) -> None:
    assert read(record) == expected


NONE, REJECT = b"v=DMARC1; p=none", b"v=DMARC1; p=reject; sp=quarantine"


@pytest.mark.parametrize(
    ("author", "records", "expected"),
    [
        (AUTHOR, {}, None),
        (AUTHOR, {AUTHOR: [NONE]}, (AUTHOR, "none", "")),
        (f"a.{AUTHOR}", {AUTHOR: [REJECT]}, (AUTHOR, "quarantine", "")),
        (f"a.{AUTHOR}", {AUTHOR: [NONE]}, (AUTHOR, "none", "")),
        (f"a.{AUTHOR}", {f"a.{AUTHOR}": [NONE], AUTHOR: [REJECT]}, (f"a.{AUTHOR}", "none", "")),
        (f"a.b.{AUTHOR}", {f"b.{AUTHOR}": [NONE], AUTHOR: [REJECT]}, (AUTHOR, "quarantine", "")),
        (f"a.b.{AUTHOR}", {f"b.{AUTHOR}": [REJECT]}, (f"b.{AUTHOR}", "quarantine", "")),
        # several records are none, and end the walk
        (AUTHOR, {AUTHOR: [NONE, REJECT]}, None),
        (AUTHOR, {AUTHOR: [NONE, b"hello", b"v=spf1"]}, (AUTHOR, "none", "")),
        (f"a.{AUTHOR}", {f"a.{AUTHOR}": [NONE, NONE], AUTHOR: [REJECT]}, None),
        (f"a.{AUTHOR}", {AUTHOR: [NONE, NONE]}, None),
        # nobody's record above the organisation counts
        ("legit.co.uk", {"co.uk": [REJECT], "uk": [REJECT]}, None),
        ("anna.github.io", {"github.io": [REJECT], "io": [REJECT]}, None),
        ("co.uk", {"co.uk": [REJECT]}, None),
        # psd
        (
            f"a.b.{AUTHOR}",
            {f"b.{AUTHOR}": [NONE + b"; psd=n"], AUTHOR: [REJECT]},
            (f"b.{AUTHOR}", "none", f"b.{AUTHOR}"),
        ),
        (f"a.b.{AUTHOR}", {AUTHOR: [REJECT + b"; psd=y"]}, (AUTHOR, "quarantine", f"b.{AUTHOR}")),
        (f"a.{AUTHOR}", {f"a.{AUTHOR}": [NONE + b"; psd=y"], AUTHOR: [REJECT]}, (f"a.{AUTHOR}", "none", "")),
        (AUTHOR, {AUTHOR: [NONE + b"; psd=u"]}, (AUTHOR, "none", "")),
    ],
)
def test_the_walk_ends_at(author: str, records: Mapping[str, Sequence[bytes]], expected: object) -> None:
    found = find(author, records)
    assert (found and (found.at, found.wish, found.top)) == expected


def test_a_deep_name_costs_eight_questions() -> None:
    zone = Zone()
    assert policy.find(zone, "a.b.c.d.e.f.g.h.i.j." + AUTHOR) is None
    names = [name.removeprefix("_dmarc.") for name in zone.asked]
    assert names[:2] == ["a.b.c.d.e.f.g.h.i.j.legit.example", "f.g.h.i.j.legit.example"]
    assert names[-1] == AUTHOR
    assert len(names) == 7  # the eighth would be example


@pytest.mark.parametrize("question", [1, 2, 3])
def test_trouble_anywhere_on_the_walk_is_trouble(question: int) -> None:
    with pytest.raises(Trouble):
        policy.find(Zone(fail_at=question), f"a.b.{AUTHOR}")


@pytest.mark.parametrize(
    ("top", "other", "expected"),
    [
        ("", AUTHOR, True),
        ("", f"x.{AUTHOR}", True),
        ("", "x.example", False),
        (f"b.{AUTHOR}", f"b.{AUTHOR}", True),
        (f"b.{AUTHOR}", f"x.b.{AUTHOR}", True),
        (f"b.{AUTHOR}", f"xb.{AUTHOR}", False),
        (f"b.{AUTHOR}", f"c.{AUTHOR}", False),
        (f"b.{AUTHOR}", AUTHOR, False),
    ],
)
def test_psd_narrows_who_is_aligned(top: str, other: str, expected: bool) -> None:
    assert Policy(at=AUTHOR, wish="none", top=top).covers(f"a.b.{AUTHOR}", other, strict=False) is expected


@settings(deadline=None)
@given(st.binary(max_size=100), st.sampled_from([b"", b"v=DMARC1;", b"v=DMARC1; p=none; "]))
def test_whatever_a_record_holds_nothing_is_raised(record: bytes, start: bytes) -> None:
    read(start + record)
