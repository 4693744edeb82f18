"""The ARC test suite's signing cases, put together to sealed mails and validated.

The suite's validation half is not in the corpus; what its signing half expects of a sealer is what we must take. Where
the corpus is missing there is nothing to walk: ``tests/unit/mailauth/test_arc.py`` seals mails by itself.
"""

from collections.abc import Iterator
from typing import Any

import yaml

from mailgate.domain.header import split
from mailgate.mailauth import arc
from mailgate.mailauth.arc import Chain
from mailgate.mailauth.canonical import Message
from tests.corpus.messages import CORPUS
from tests.signing import NOW, Zone

SUITE = CORPUS / "arc" / "tests" / "arc-draft-sign-tests.yml"
# sealed on purpose with cv=fail: the chain itself says that it was broken
BROKEN = {"i1_base_fail", "i2_base_fail", "no_additional_sig"}


def cases() -> Iterator[tuple[str, dict[str, Any], Zone]]:
    if not SUITE.exists():
        return
    for scenario in yaml.safe_load_all(SUITE.read_text()):
        zone = Zone({name: [record.encode()] for name, record in scenario["txt-records"].items()})
        for name, case in scenario["tests"].items():
            yield name, case, zone


def sealed(case: dict[str, Any]) -> bytes:
    """Put the expected fields on top of the mail: without white space in tags, as the suite's README has it."""
    results = "\r\n ".join(line.strip() for line in case["AAR"].strip().splitlines())
    tags = {key: "; ".join("".join(tag.split()) for tag in case[key].split(";")) for key in ("AS", "AMS")}
    message = str(case["message"]).replace("\n", "\r\n")
    added = f"ARC-Seal: {tags['AS']}\r\nARC-Message-Signature: {tags['AMS']}\r\n" if tags["AS"] else ""
    said = f"ARC-Authentication-Results: {results}\r\n" if results else ""
    return (added + said + message).encode()


def validated(raw: bytes, zone: Zone) -> Chain:
    return arc.validate(Message(split(raw), raw), {"example.org"}, zone, NOW)


def test_every_chain_that_the_suite_expects_of_a_sealer_is_good() -> None:
    found = [(name, validated(sealed(case), zone).result) for name, case, zone in cases()]
    assert len(found) == (17 if SUITE.exists() else 0)
    assert found == [(name, "fail" if name in BROKEN else "pass") for name, _ in found]


def test_none_is_good_once_the_mail_is_changed() -> None:
    for name, case, zone in cases():
        raw = sealed(case)
        for old, new in (
            (b"test message", b"text message"),
            (b"John", b"Jane"),
            (b"i=1; l", b"i=1; x"),
        ):
            assert old in raw
            assert validated(raw.replace(old, new), zone).result == "fail", name


def test_none_is_read_where_nobody_listed_the_sealer() -> None:
    for name, case, zone in cases():
        raw = sealed(case)
        chain = arc.validate(Message(split(raw), raw), {"example.net"}, zone, NOW)
        assert (chain.result, chain.trusted) == ("policy", ()), name
