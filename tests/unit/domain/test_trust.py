"""Which relay speaks from where."""

from ipaddress import ip_address, ip_network

import pytest

from mailgate.domain.trust import Relay, is_proxy, relay_at, relays_at

OFFICE = Relay(name="office", networks=(ip_network("192.0.2.0/28"), ip_network("2001:db8::/64")))
SPOOL = Relay(name="spool", unix=True)
EDGE = Relay(name="edge", networks=(ip_network("203.0.113.0/24"),), proxies=(ip_network("192.0.2.1"),))
ANNA = Relay(
    name="anna", networks=(ip_network("192.0.2.0/24"),), client_certificates=frozenset({"a.example", "b.example"})
)
BERT = Relay(name="bert", networks=(ip_network("192.0.2.0/24"),), client_certificates=frozenset({"bert.example"}))
ALL = Relay(name="all", networks=(ip_network("0.0.0.0/0"),))


@pytest.mark.parametrize(
    ("relays", "peer", "name"),
    [
        ((OFFICE, SPOOL), "192.0.2.1", "office"),
        ((OFFICE, SPOOL), "192.0.2.15", "office"),
        ((OFFICE, SPOOL), "192.0.2.16", None),
        ((OFFICE, SPOOL), "::ffff:192.0.2.1", "office"),
        ((OFFICE, SPOOL), "::ffff:192.0.2.16", None),
        ((OFFICE, SPOOL), "::192.0.2.1", None),
        ((OFFICE, SPOOL), "2001:db8::1", "office"),
        ((OFFICE, SPOOL), "2001:db8:0:1::1", None),
        ((OFFICE, SPOOL), None, "spool"),
        ((OFFICE, ALL), None, None),
        ((OFFICE, ALL), "192.0.2.1", "office"),
        ((ALL, OFFICE), "192.0.2.1", "all"),
        ((ALL,), "::1", None),
        ((), "127.0.0.1", None),
    ],
)
def test_a_relay_is_known_by_where_it_speaks_from(
    relays: tuple[Relay, ...], peer: str | None, name: str | None
) -> None:
    found = relay_at(relays, None if peer is None else ip_address(peer))
    assert (found and found.name) == name


@pytest.mark.parametrize(
    ("relays", "peer", "names", "name"),
    [
        ((ANNA, BERT), "192.0.2.1", (), None),
        ((ANNA, BERT), "192.0.2.1", ("b.example",), "anna"),
        ((ANNA, BERT), "192.0.2.1", ("x.example", "bert.example"), "bert"),
        ((ANNA, BERT), "192.0.2.1", ("example",), None),
        ((ANNA, BERT), "192.0.2.1", ("*.example",), None),
        ((ANNA, BERT), "192.0.2.1", ("x.b.example",), None),
        ((ANNA, BERT), "198.51.100.1", ("b.example",), None),
        ((ANNA, ALL), "192.0.2.1", (), "all"),
        ((ANNA, ALL), "192.0.2.1", ("a.example",), "anna"),
        ((OFFICE,), "192.0.2.1", ("x.example",), "office"),
    ],
)
def test_of_several_at_one_address_a_relay_is_known_by_its_certificate(
    relays: tuple[Relay, ...], peer: str, names: tuple[str, ...], name: str | None
) -> None:
    found = relay_at(relays, ip_address(peer), frozenset(names))
    assert (found and found.name) == name


@pytest.mark.parametrize(
    ("relays", "peer", "names"),
    [
        ((OFFICE, EDGE), "192.0.2.1", ["edge"]),
        ((OFFICE, EDGE), "::ffff:192.0.2.1", ["edge"]),
        ((OFFICE, EDGE), "192.0.2.2", ["office"]),
        ((OFFICE, EDGE), "203.0.113.9", ["edge"]),
        ((OFFICE, ANNA, BERT), "192.0.2.2", ["office", "anna", "bert"]),
        ((OFFICE, EDGE), None, []),
    ],
)
def test_a_proxy_is_its_relay_whatever_other_networks_hold_it(
    relays: tuple[Relay, ...], peer: str | None, names: list[str]
) -> None:
    at = None if peer is None else ip_address(peer)
    assert [relay.name for relay in relays_at(relays, at)] == names
    assert is_proxy(EDGE, at) is (names == ["edge"] and "192.0.2.1" in str(peer))
