"""The resolver against a server on loopback: what counts as an answer, what it remembers, what nobody waits for."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

import dns.message
import dns.query
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailgate import events
from mailgate.mailauth import resolver as module
from mailgate.mailauth.resolver import Lookups, Resolver, Trouble
from tests.dns_server import DnsServer, FakeLookups, Zones, dns_server, zone_file

KEY = b"v=DKIM1; p=" + b"A" * 392
HUGE = b"x" * 60_000
ZONES: Zones = {
    **zone_file("resolver"),
    "key._domainkey.haus.test": [("TXT", KEY)],
    "bytes.test": [("TXT", b"\xff\x00;")],
    "huge.test": [("TXT", HUGE)],
}
TIMEOUT = 1.5


@pytest.fixture(scope="module")
def server() -> Iterator[DnsServer]:
    with dns_server(ZONES) as running:
        yield running


@pytest.fixture
def resolver(server: DnsServer) -> Resolver:
    server.asked.clear()
    return Resolver([server.address], TIMEOUT)


@pytest.fixture
def lookups(resolver: Resolver) -> Lookups:
    return resolver.lookups()


# -- answers --------------------------------------------------------------------------------------------------------

Ask = Callable[[Lookups], object]
ANSWERS: list[tuple[str, Ask, object]] = [
    ("texts, each for itself", lambda dns: sorted(dns.txt("haus.test")), [b"second", b"v=spf1 mx -all"]),
    ("the strings of a text in one piece", lambda dns: dns.txt("key._domainkey.haus.test"), (KEY,)),
    ("any bytes", lambda dns: dns.txt("bytes.test"), (b"\xff\x00;",)),
    ("60 kB", lambda dns: dns.txt("huge.test"), (HUGE,)),
    ("upper case and the root's dot", lambda dns: dns.a("HAUS.Test."), ("192.0.2.1",)),
    ("IPv6", lambda dns: dns.aaaa("haus.test"), ("2001:db8::1",)),
    ("a mail server", lambda dns: [(10, host.lower()) for _, host in dns.mx("haus.test")], [(10, "mail.haus.test")]),
    ("the null MX of RFC 7505", lambda dns: dns.mx("nomail.test"), ((0, ""),)),
    ("a reverse name", lambda dns: dns.ptr("1.2.0.192.in-addr.arpa"), ("mail.haus.test",)),
    ("what an alias stands for", lambda dns: dns.a("alias.test"), ("192.0.2.1",)),
    ("over TCP what UDP cuts short", lambda dns: dns.txt("tcp.test"), (b"by tcp",)),
    ("an answer that takes more than one try", lambda dns: dns.txt("late.test"), (b"late",)),
    ("nothing of a name that isn't there", lambda dns: dns.txt("gone.test"), ()),
    ("nothing of a name without such data", lambda dns: dns.txt("above.test"), ()),
    ("nothing of a name that only has names below", lambda dns: dns.txt("deep.test"), ()),
    ("nothing behind an alias of nothing", lambda dns: dns.txt("dangling.test"), ()),
    ("nothing in a circle of aliases", lambda dns: dns.txt("circle.test"), ()),
]


@pytest.mark.parametrize(("ask", "expected"), [row[1:] for row in ANSWERS], ids=[row[0] for row in ANSWERS])
def test_it_answers(lookups: Lookups, ask: Ask, expected: object) -> None:
    assert ask(lookups) == expected


@pytest.mark.parametrize(("ask", "expected"), [row[1:] for row in ANSWERS], ids=[row[0] for row in ANSWERS])
def test_the_fake_without_sockets_answers_the_same(ask: Ask, expected: object) -> None:
    assert ask(FakeLookups(ZONES)) == expected


@given(
    asked=st.sampled_from(["TXT", "A", "AAAA", "MX", "PTR"]),
    changes=st.lists(st.tuples(st.integers(2, 400), st.integers(0, 255)), max_size=6),
    cut=st.integers(12, 400),
)
def test_whatever_bytes_come_it_is_an_answer_or_trouble(
    server: DnsServer, asked: str, changes: list[tuple[int, int]], cut: int
) -> None:
    def reply(query: dns.message.Message, *_: object, **__: object) -> dns.message.Message:
        wire = bytearray(server.reply(query.to_wire(), tcp=True) or b"")
        for place, byte in changes:
            wire[place % len(wire)] = byte
        return dns.message.from_wire(bytes(wire[:cut]))

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(dns.query, "udp", reply)
        found = _outcome(lambda: getattr(Resolver(["127.0.0.1"], 0.1).lookups(), asked.lower())("toall.test"))
    assert isinstance(found, (tuple, Trouble))


TROUBLE = ("servfail", "refused", "silent", "garbage", "wrong-id", "referral", "toalias")


@pytest.mark.parametrize("name", [*TROUBLE, "silent-tcp"])
def test_what_is_no_answer_is_trouble_within_the_time_of_one_question(lookups: Lookups, name: str) -> None:
    began = time.monotonic()
    with pytest.raises(Trouble, match=rf"^{name}\.test TXT: "):
        lookups.txt(f"{name}.test")
    assert time.monotonic() - began < TIMEOUT * 4


@pytest.mark.parametrize("name", TROUBLE)
def test_the_fake_without_sockets_has_the_same_trouble(name: str) -> None:
    with pytest.raises(Trouble):
        FakeLookups(ZONES).txt(f"{name}.test")


@pytest.mark.parametrize(
    "name",
    ["", ".", "a..test", ".test", "haus.test..", "nul\0.test", "l" * 64 + ".test", "a." * 127 + "test", "ä.test",
     "tab\t.test", "line\r\n.test", r"back\.slash.test", r"\000.test"],
)  # fmt: skip
def test_odd_names_have_no_data_and_are_never_asked(lookups: Lookups, server: DnsServer, name: str) -> None:
    assert [*lookups.txt(name), *lookups.a(name), *lookups.mx(name)] == []
    assert server.asked == []


def test_the_longest_names_are_asked(lookups: Lookups, server: DnsServer) -> None:
    labels = "l" * 63 + "." + "m" * 63 + "." + "n" * 63
    assert lookups.txt(f"{labels}.{'o' * 61}") == ()
    assert lookups.txt(f"{labels}.{'o' * 62}") == ()
    assert [len(name) for name, _ in server.asked] == [253]


def test_the_next_server_is_asked_where_one_is_silent_or_broken(server: DnsServer) -> None:
    with dns_server({"haus.test": ["TIMEOUT"]}) as silent, dns_server({"haus.test": ["SERVFAIL"]}) as broken:
        for first in (silent, broken):
            lookups = Resolver([first.address, server.address], TIMEOUT).lookups()
            assert lookups.a("haus.test") == ("192.0.2.1",)


def test_nobody_listening_is_trouble() -> None:
    with dns_server({}) as gone:
        address = gone.address
    with pytest.raises(Trouble):
        Resolver([address, address], 0.3).lookups().a("haus.test")


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("192.0.2.53", ("192.0.2.53", 53)),
        ("192.0.2.53:5353", ("192.0.2.53", 5353)),
        ("2001:db8::53", ("2001:db8::53", 53)),
        ("[2001:db8::53]:5353", ("2001:db8::53", 5353)),
    ],
)
def test_servers_are_written_in_four_ways(text: str, endpoint: tuple[str, int]) -> None:
    assert Resolver([text])._servers == (endpoint,)


def test_without_servers_the_systems_are_asked() -> None:
    servers = Resolver()._servers
    assert servers
    assert all(port == 53 for _, port in servers)


@pytest.mark.parametrize(
    ("name", "outcome"),
    [("haus", "answer"), ("gone", "empty"), ("servfail", "trouble"), ("late", "hurried")],
)
def test_each_question_is_counted_by_its_outcome(resolver: Resolver, name: str, outcome: str) -> None:
    def counted() -> float:
        return events.registry.get_sample_value("mailgate_dns_questions_total", {"verdict": outcome}) or 0

    before = counted()
    budget = 0.2 if outcome == "hurried" else None
    _outcome(lambda: resolver.lookups(budget).txt(f"{name}.test"))
    assert counted() == before + 1


# -- memory ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["haus.test", "gone.test", "above.test", "circle.test"])
def test_an_answer_is_remembered_for_other_mails(resolver: Resolver, server: DnsServer, name: str) -> None:
    for spelling in (name, name.upper(), f"{name}."):
        resolver.lookups().txt(spelling)
    assert server.asked == [(name, "TXT")]


def test_each_type_is_asked_for_itself(lookups: Lookups, server: DnsServer) -> None:
    assert lookups.txt("above.test") == ()
    assert lookups.a("above.test") == ("192.0.2.1",)
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("lines", "limit", "seconds"),
    [
        (["TXT x", "TTL 60"], "own", 60),
        (["TXT x", "TTL 0"], "MIN_TTL", module.MIN_TTL),
        (["TXT x", "TTL 999999"], "MAX_TTL", module.MAX_TTL),
        (["A 192.0.2.1", "TTL 60"], "own", 60),
        (["A 192.0.2.1", "TTL 999999"], "MAX_EMPTY_TTL", module.MAX_EMPTY_TTL),
        (["SERVFAIL"], "TROUBLE_TTL", module.TROUBLE_TTL),
    ],
)
def test_it_is_remembered_as_long_as_it_says_within_limits(
    monkeypatch: pytest.MonkeyPatch, lines: list[str], limit: str, seconds: float
) -> None:
    skew = 0.0
    clock = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: clock() + skew)

    def asked() -> int:
        found = _outcome(lambda: fresh.lookups().txt("ttl.test"))
        assert isinstance(found, Trouble) == (limit == "TROUBLE_TTL")
        return len(running.asked)

    with dns_server({"ttl.test": lines}) as running:
        fresh = Resolver([running.address], 3)
        assert asked() == 1
        skew = seconds * 0.4
        assert asked() == 1
        skew = seconds + 1
        assert asked() == 2


def test_the_memory_is_bounded_by_entries(monkeypatch: pytest.MonkeyPatch, resolver: Resolver) -> None:
    monkeypatch.setattr(module, "MAX_ENTRIES", 10)
    lookups = resolver.lookups()
    for number in range(30):
        lookups.txt(f"n{number}.many.test")
    assert len(resolver._memory._held) == 10


def test_the_memory_is_bounded_by_bytes(monkeypatch: pytest.MonkeyPatch, resolver: Resolver, server: DnsServer) -> None:
    monkeypatch.setattr(module, "MAX_BYTES", 61_000)
    resolver.lookups().txt("haus.test")
    resolver.lookups().txt("huge.test")
    resolver.lookups().txt("haus.test")
    assert [name for name, _ in server.asked] == ["haus.test", "huge.test", "huge.test", "haus.test"]  # UDP and TCP
    assert 0 < resolver._memory._bytes <= 61_000


def test_trouble_is_remembered_and_then_fails_at_once(resolver: Resolver, server: DnsServer) -> None:
    for _ in range(3):
        with pytest.raises(Trouble):
            resolver.lookups().txt("servfail.test")
    assert server.asked == [("servfail.test", "TXT")]


# -- what a mail may cost -------------------------------------------------------------------------------------------


def test_a_mail_may_ask_so_many_questions_and_what_is_remembered_is_none(resolver: Resolver, server: DnsServer) -> None:
    lookups = resolver.lookups(max_questions=2)
    for _ in range(5):
        lookups.a("haus.test")
    lookups.txt("haus.test")
    with pytest.raises(Trouble, match="asked enough"):
        lookups.mx("haus.test")
    assert len(server.asked) == 2
    assert resolver.lookups().mx("haus.test")  # the next mail may, and nothing bad is remembered


def test_a_mail_may_cause_so_many_bytes(resolver: Resolver) -> None:
    with dns_server({"*.huge.test": [("TXT", HUGE)]}) as huge:
        lookups = Resolver([huge.address], 5).lookups()
        found = [_outcome(partial(lookups.txt, f"n{number}.huge.test")) for number in range(20)]
    assert [each == (HUGE,) for each in found] == [True] * 5 + [False] * 15
    assert "asked enough" in str(found[-1])


def test_all_questions_of_a_mail_share_one_deadline(resolver: Resolver) -> None:
    began = time.monotonic()
    lookups = resolver.lookups(budget_seconds=1)
    for number in range(50):
        with pytest.raises(Trouble):
            lookups.txt(f"n{number}.slow.test")
    assert time.monotonic() - began < 10


@pytest.mark.parametrize(("timeout", "budget"), [(1, 3), (5, 15), (30, 20)])
def test_the_deadline_is_three_times_that_of_a_question_at_most_20_s(timeout: float, budget: float) -> None:
    left = Resolver(["127.0.0.1"], timeout).lookups()._allowance.deadline - time.monotonic()
    assert budget - 1 < left <= budget


def test_who_ran_out_of_time_leaves_no_trouble_behind_for_others(resolver: Resolver) -> None:
    with pytest.raises(Trouble):
        resolver.lookups(budget_seconds=0.2).txt("late.test")
    assert resolver.lookups().txt("late.test") == (b"late",)


def test_one_dead_name_leaves_a_mail_time_for_others_without_a_place(
    resolver: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_SLOW", 0)
    lookups = resolver.lookups()
    with pytest.raises(Trouble, match="no place"):
        lookups.txt("n.slow.test")
    assert lookups.a("haus.test") == ("192.0.2.1",)


# -- threads --------------------------------------------------------------------------------------------------------


def _outcome(ask: Callable[[], object]) -> object:
    try:
        return ask()
    except Trouble as trouble:
        return trouble


def _flood(pool: ThreadPoolExecutor, resolver: Resolver, names: list[str]) -> list[Future[object]]:
    return [pool.submit(_outcome, partial(_text, resolver, name)) for name in names]


def _text(resolver: Resolver, name: str) -> object:
    return resolver.lookups().txt(name)


def test_threads_with_the_same_question_ask_once(resolver: Resolver, server: DnsServer) -> None:
    with ThreadPoolExecutor(20) as pool, dns_server({"late.test": ["DELAY 0.2", "TXT late"]}) as late:
        asking = Resolver([late.address], 5)
        found = [each.result() for each in _flood(pool, asking, ["late.test"] * 20)]
        assert found == [(b"late",)] * 20
        assert len(late.asked) == 1


def test_whoever_waits_for_one_that_gives_up_asks_again(server: DnsServer) -> None:
    with dns_server({"late.test": ["DELAY 0.6", "TXT late"]}) as late, ThreadPoolExecutor(2) as pool:
        resolver = Resolver([late.address], 5)
        hurried = pool.submit(_outcome, lambda: resolver.lookups(budget_seconds=0.3).txt("late.test"))
        _until(lambda: len(late.asked) == 1)
        patient = pool.submit(_outcome, lambda: resolver.lookups().txt("late.test"))
        assert isinstance(hurried.result(), Trouble)
        assert patient.result() == (b"late",)


def test_a_flood_for_a_slow_zone_leaves_others_their_pace(server: DnsServer) -> None:
    resolver = Resolver([server.address], 5)
    with ThreadPoolExecutor(50) as pool:
        flood = _flood(pool, resolver, [f"n{number}.slow.test" for number in range(50)])
        _until(lambda: any(name.endswith("slow.test") for name, _ in server.asked))
        began = time.monotonic()
        assert resolver.lookups().a("haus.test") == ("192.0.2.1",)
        assert time.monotonic() - began < 3
        assert all(isinstance(each.result(), Trouble) for each in flood)


def test_a_flood_for_a_slow_zone_holds_few_threads_of_a_pool(server: DnsServer) -> None:
    """Of twelve threads four wait for the slow zone to the end; the others are free again as soon as patience ends."""
    resolver = Resolver([server.address], 5)
    with ThreadPoolExecutor(12) as pool:
        flood = _flood(pool, resolver, [f"n{number}.slow.test" for number in range(200)])
        began = time.monotonic()
        other = pool.submit(_outcome, lambda: resolver.lookups().a("haus.test"))
        assert other.result() == ("192.0.2.1",)
        assert time.monotonic() - began < 10  # with every question to its end, twelve at a time, they would take 80 s
        assert all(isinstance(each.result(), Trouble) for each in flood)


def test_a_flood_over_many_slow_zones_is_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_SLOW", 3)
    zones = [f"slow{number}.test" for number in range(30)]
    with dns_server({zone: ["TIMEOUT"] for zone in zones}) as slow, ThreadPoolExecutor(30) as pool:
        resolver = Resolver([slow.address], 5)
        flood = _flood(pool, resolver, zones)
        _until(lambda: sum(each.done() for each in flood) == 27)
        assert sum(resolver._slow.values()) == 3
        assert all("no place" in str(each.result()) for each in flood if each.done())
        assert all(isinstance(each.result(), Trouble) for each in flood)
        assert not resolver._slow
        assert not resolver._flights


@pytest.mark.parametrize(
    ("name", "zone"),
    [
        ("key._domainkey.mail.haus.test", "haus.test"),
        ("a.b.muster.co.uk", "muster.co.uk"),
        ("anna+x=y.evil.test", "evil.test"),
        ("co.uk", "co.uk"),
        ("test", "test"),
    ],
)
def test_places_are_counted_by_organisation(name: str, zone: str) -> None:
    assert module._zone(name) == zone


def test_who_waits_for_the_same_slow_name_takes_a_place_too(server: DnsServer) -> None:
    resolver = Resolver([server.address], 5)
    with ThreadPoolExecutor(20) as pool:
        flood = _flood(pool, resolver, ["same.slow.test"] * 20)
        _until(lambda: sum(resolver._slow.values()) == module.MAX_SLOW_OF_ONE)
        _until(lambda: sum(each.done() for each in flood) == 20 - module.MAX_SLOW_OF_ONE)
        assert all(isinstance(each.result(), Trouble) for each in flood)


def _until(condition: Callable[[], bool]) -> None:
    never = threading.Event()
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        never.wait(0.01)
