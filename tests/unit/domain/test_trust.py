"""Which relay speaks from where."""

from ipaddress import ip_address, ip_network

import pytest

from mailgate.domain.trust import Relay, relay_at

OFFICE = Relay(name="office", networks=(ip_network("192.0.2.0/28"), ip_network("2001:db8::/64")))
SPOOL = Relay(name="spool", unix=True)
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
