"""The test suite of RFC 7208, of the openspf.org project, and cases of our own in its form, which are everywhere.

Each case runs against zones in memory, and again with the resolver and a server on loopback: what the DNS makes of odd
names, empty fields and circles is part of it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from mailgate.mailauth import spf
from mailgate.mailauth.resolver import Resolver
from tests.corpus.messages import CORPUS
from tests.dns_server import ZONE_FILES, DnsServer, FakeLookups, Line, dns_server

SUITE = CORPUS / "spf" / "test" / "rfc7208-tests.yml"
SUITE_SIZE = 203
OWN = ZONE_FILES / "spf.yml"
OWN_SIZE = 27
TIMEOUT = 1.0


@dataclass(frozen=True)
class Case:
    """One test of one scenario."""

    name: str
    zones: dict[str, list[Line]]
    host: str
    helo: str
    mailfrom: str
    results: tuple[str, ...]


def _suite() -> list[Case]:
    if not SUITE.is_file():
        print(f"no suite at {SUITE}: running our own cases only")
    texts = [path.read_text(encoding="utf-8") for path in (OWN, SUITE) if path.is_file()]
    return [case for text in texts for scenario in yaml.safe_load_all(text) for case in _cases(scenario)]


def _cases(scenario: dict[str, Any]) -> Iterator[Case]:
    zones = {name: list(_lines(entries)) for name, entries in scenario["zonedata"].items()}
    for name, test in scenario["tests"].items():
        results = test["result"] if isinstance(test["result"], list) else [test["result"]]
        yield Case(name, zones, test["host"], test["helo"], test["mailfrom"], tuple(results))


def _lines(entries: list[Any]) -> Iterator[Line]:
    """Read zone data; SPF means TXT too, unless the name has TXT of its own."""
    kinds = {kind for entry in entries if isinstance(entry, dict) for kind in entry}
    for entry in entries:
        if isinstance(entry, str):
            yield entry
            continue
        for kind, value in entry.items():
            if kind == "TXT" or (kind == "SPF" and "TXT" not in kinds):
                yield from _txt(value)
            elif kind == "MX":
                yield f"MX {value[0]} {value[1]}"
            elif kind != "SPF":
                yield f"{kind} {value}"


def _txt(value: str | list[str]) -> Iterator[Line]:
    if value != "NONE":
        yield "TXT", (value if isinstance(value, str) else "".join(value)).encode()


CASES = _suite()
NAMES = [case.name for case in CASES]


@pytest.fixture(scope="module")
def server() -> Iterator[DnsServer]:
    with dns_server({}) as running:
        yield running


def test_the_whole_suite_is_there_where_it_is() -> None:
    assert len(CASES) == (SUITE_SIZE if SUITE.is_file() else 0) + OWN_SIZE
    assert SUITE.is_file() == CORPUS.is_dir()


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_the_result_is_one_that_the_suite_accepts(case: Case) -> None:
    found = spf.check(FakeLookups(case.zones), case.host, case.helo, case.mailfrom)
    assert found.result in case.results, found


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_the_result_is_the_same_over_the_network(case: Case, server: DnsServer) -> None:
    server.change(case.zones)
    lookups = Resolver([server.address], TIMEOUT).lookups()
    found = spf.check(lookups, case.host, case.helo, case.mailfrom)
    assert found.result in case.results, found
