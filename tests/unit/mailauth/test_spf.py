"""SPF against zones in memory: identities, trouble, and records made to hurt. The rules are in the corpus's test."""

import subprocess
import sys
import time
from typing import NoReturn

import pytest
import spf as pyspf

from mailgate import events
from mailgate.mailauth import spf
from mailgate.mailauth.resolver import Trouble
from mailgate.mailauth.spf import SpfResult
from tests.dns_server import FakeLookups, Zones

CLIENT = "192.0.2.1"
HELO = "mail.haus.test"
PASS = f"TXT v=spf1 ip4:{CLIENT} -all"
ZONES: Zones = {
    "haus.test": [PASS],
    "mail.haus.test": ["TXT v=spf1 ip4:192.0.2.2 -all"],
    "xn--strae-oqa.test": [PASS],
    "down.test": ["SERVFAIL"],
    "test": [PASS],
}


def check(zones: Zones, sender: str = "anna@evil.test", client: str = CLIENT, helo: str = HELO) -> SpfResult:
    return spf.check(FakeLookups(zones), client, helo, sender)


@pytest.mark.parametrize(
    ("sender", "helo", "result", "domain", "identity"),
    [
        ("anna@haus.test", HELO, "pass", "haus.test", "mailfrom"),
        ("Anna@HAUS.Test.", HELO, "pass", "haus.test", "mailfrom"),
        ("anna@straße.test", HELO, "pass", "xn--strae-oqa.test", "mailfrom"),
        ('"a@mail.haus.test"@haus.test', HELO, "pass", "haus.test", "mailfrom"),
        ("haus.test", HELO, "pass", "haus.test", "mailfrom"),
        ("", HELO, "fail", "mail.haus.test", "helo"),
        ("", "haus.test", "pass", "haus.test", "helo"),
        ("", "HAUS.test.", "pass", "haus.test", "helo"),
        ("", "", "none", "", "helo"),
        ("", "test", "none", "test", "helo"),
        ("", "[192.0.2.1]", "none", "", "helo"),
        ("anna@[192.0.2.1]", HELO, "none", "", "mailfrom"),
        ("anna@", HELO, "none", "", "mailfrom"),
        ("anna@test", HELO, "none", "test", "mailfrom"),
        ("anna@a..test", HELO, "none", "", "mailfrom"),
        ("anna@nul\0.test", HELO, "none", "", "mailfrom"),
        ("anna@" + "a." * 200 + "test", HELO, "none", "", "mailfrom"),
        ("a" * 1000 + "@haus.test", HELO, "none", "haus.test", "mailfrom"),
        ("invalid:anna", HELO, "none", "", "mailfrom"),
    ],
)
def test_the_senders_domain_is_asked_or_for_the_null_sender_that_of_helo(
    sender: str, helo: str, result: str, domain: str, identity: str
) -> None:
    found = check(ZONES, sender, helo=helo)
    assert (found.result, found.domain, found.identity) == (result, domain, identity)


@pytest.mark.parametrize(
    ("client", "result"),
    [
        (CLIENT, "pass"),
        (f"::ffff:{CLIENT}", "pass"),
        ("192.0.2.2", "fail"),
        ("2001:db8::1", "fail"),
        ("fe80::1%eth0", "fail"),
        ("", "none"),
        ("unix", "none"),
        ("list", "none"),
        ("list6", "none"),
        ("192.0.2.1/32", "none"),
    ],
)
def test_the_client_is_an_address_or_nobody(client: str, result: str) -> None:
    assert check(ZONES, "anna@haus.test", client).result == result


def test_what_is_wrong_is_told_and_what_is_right_is_not() -> None:
    zones: Zones = {"two.test": [PASS, PASS], "odd.test": [("TXT", b"v=spf1 \x1b[31m:\xff")], **ZONES}
    assert check(zones, "anna@haus.test").problem == ""
    assert "Two or more" in check(zones, "anna@two.test").problem
    assert "down.test" in check(zones, "anna@down.test").problem
    for domain in ("two", "down", "odd"):
        problem = check(zones, f"anna@{domain}.test").problem
        assert 0 < len(problem) <= 200
        assert problem.isascii()
        assert problem.isprintable()


@pytest.mark.parametrize(
    "record",
    ["include:down.test", "a:down.test", "mx:down.test", "exists:down.test", "redirect=down.test", "a:%{d}.down.test"],
)
def test_trouble_with_any_question_is_a_temporary_error(record: str) -> None:
    zones: Zones = {"evil.test": [f"TXT v=spf1 {record}"], "down.test": ["SERVFAIL"], "*.down.test": ["TIMEOUT"]}
    assert check(zones).result == "temperror"


@pytest.mark.parametrize("failing", range(6))
def test_wherever_the_dns_fails_it_is_never_a_refusal(failing: int) -> None:
    zones: Zones = {
        "evil.test": ["TXT v=spf1 include:a.test mx ~include:b.test -all", "MX 1 m.test"],
        "a.test": ["TXT v=spf1 a:m.test -all"],
        "b.test": [PASS],
        "m.test": ["A 192.0.2.9"],
    }

    class Failing(FakeLookups):
        def _find(self, name: str, kind: str) -> list[bytes | str]:
            if len(self.asked) == failing:
                raise Trouble("fails")
            return super()._find(name, kind)

    whole = FakeLookups(zones)
    assert spf.check(whole, CLIENT, HELO, "anna@evil.test").result == "softfail"
    assert len(whole.asked) == 6
    assert spf.check(Failing(zones), CLIENT, HELO, "anna@evil.test").result == "temperror"


def test_nobody_but_the_mails_own_lookups_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(*_: object) -> NoReturn:
        raise AssertionError

    monkeypatch.setattr(pyspf, "DNSLookup", asked)
    monkeypatch.setattr(pyspf.dns.resolver, "query", asked)
    zones: Zones = {
        "evil.test": ["TXT v=spf1 a mx ptr exists:%{p}.x.test include:haus.test -all", "A 192.0.2.9", "MX 1 m.test"],
        "m.test": ["A 192.0.2.9"],
        "1.2.0.192.in-addr.arpa": ["PTR client.test"],
        "client.test": [f"A {CLIENT}"],
        **ZONES,
    }
    assert check(zones).result == "pass"


def test_the_domains_own_explanation_is_not_fetched() -> None:
    lookups = FakeLookups({"evil.test": ["TXT v=spf1 -all exp=why.evil.test"], "why.evil.test": ["TXT %{s}" * 1000]})
    assert spf.check(lookups, CLIENT, HELO, "anna@evil.test").result == "fail"
    assert lookups.asked == [("evil.test", "TXT")]


def test_a_bug_is_a_temporary_error_and_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []

    def broken(*_: object) -> NoReturn:
        raise RecursionError("secret")

    monkeypatch.setattr(events, "surprise", lambda where, _error: told.append(where))
    monkeypatch.setattr(pyspf.query, "check", broken)
    found = check(ZONES, "anna@haus.test")
    assert (found.result, told) == ("temperror", ["spf"])
    assert "secret" not in found.problem


# -- made to hurt ---------------------------------------------------------------------------------------------------

LONGEST = "%{s}%{h}%{l}%{o}" * 31  # just below what a term may have
BOMBS = {
    "macros in a term": f"exists:{LONGEST}.evil.test",
    "macros in every term": " ".join([f"exists:{LONGEST}.x"] * 16),
    "macros in a modifier": f"redirect={LONGEST}.evil.test",
    "macros in an unknown modifier": " ".join([f"m{number}={LONGEST}" for number in range(16)]),
    "macros with huge numbers": f"exists:%{{d{'9' * 480}r}}.evil.test",
    "macros with delimiters": f"exists:%{{s1r{'.-+,/_=' * 60}}}.evil.test",
    "reverse names": "exists:%{p}.%{p}.%{p}.evil.test " * 100,
    "percent signs": f"a:{'%' * 505}.a",
    "open braces": f"a:{'%{' * 250}.a",
    "dots": f"a:{'.' * 500}!",
    "labels": f"a:{'a.' * 250}!",
    "a long top label": f"a:b.{'a' * 500}!",
    "a long top label with hyphens": f"a:b.{'a-' * 250}!",
    "a long name": f"{'x' * 500}=",
    "hex digits": f"ip6:{'1:' * 250}",
    "colons": f"ip6:{':' * 500}",
    "slashes": f"a:{'/1' * 250}",
    "many terms": "a " * 4000,
    "many addresses": "ip4:192.0.2.9 " * 580,
    "many includes": "include:evil.test " * 450,
    "spaces": " " * 8000 + "x",
    "above the limit of a term": "a:" + "a" * 511 + ".test",
    "macro bomb of 60 kB": f"exists:{'%{s}' * 15_000}.evil.test",
    "60 kB of terms": "a:%{d}.evil.test " * 3500,
    "60 kB in one label": "a:b." + "a" * 60_000 + "!",
    "60 kB of spaces": " " * 60_000 + "-all",
}


@pytest.mark.parametrize("record", BOMBS.values(), ids=BOMBS)
def test_a_record_made_to_hurt_costs_little_and_passes_never(record: str, capsys: pytest.CaptureFixture[str]) -> None:
    lookups = FakeLookups({"evil.test": [f"TXT v=spf1 {record}"], "1.2.0.192.in-addr.arpa": ["PTR p.evil.test"]})
    sender = f"{'a.' * 32}@evil.test"
    began = time.thread_time()
    found = spf.check(lookups, CLIENT, "h." * 120 + "test", sender)
    assert time.thread_time() - began < 2
    assert found.result in {"permerror", "neutral", "fail"}, found
    assert "could not be judged" not in found.problem
    assert len(lookups.asked) < 40
    assert capsys.readouterr() == ("", "")


def test_deep_includes_end_at_the_limit() -> None:
    zones = {f"n{number}.test": [f"TXT v=spf1 include:n{number + 1}.test -all"] for number in range(100)}
    lookups = FakeLookups(zones)
    assert spf.check(lookups, CLIENT, HELO, "anna@n0.test").result == "permerror"
    assert len(lookups.asked) <= 11


def test_thousands_of_addresses_and_records_cost_little() -> None:
    addresses = [f"A 10.0.{number // 250}.{number % 250}" for number in range(4000)]
    zones: dict[str, list[str]] = {f"m{number}.test": addresses for number in range(10)}
    noise = [f"TXT noise {number}" for number in range(4000)]
    zones["evil.test"] = [
        "TXT v=spf1 " + "mx " * 10 + "-all",
        *noise,
        *(f"MX 1 m{number}.test" for number in range(10)),
    ]
    began = time.thread_time()
    assert check(zones).result == "fail"
    assert time.thread_time() - began < 5


def test_what_macros_make_of_a_long_sender_loses_labels_from_the_left() -> None:
    local = ".".join(["a" * 9] * 6)
    lookups = FakeLookups({"evil.test": ["TXT v=spf1 exists:%{l}.%{l}.%{l}.%{l}.%{l}.%{d} -all"]})
    assert spf.check(lookups, CLIENT, HELO, f"{local}@evil.test").result == "fail"
    asked = lookups.asked[1][0]
    assert 243 < len(asked) <= 253
    assert asked.startswith("a" * 9 + ".")
    assert asked.endswith(".evil.test")


def test_importing_it_warns_of_nothing_and_prints_nothing() -> None:
    code = "import mailgate.mailauth.spf"
    found = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout, found.stderr) == (0, "", "")
