from ipaddress import ip_address

from mailgate.domain.trust import plain
from mailgate.smtp.limits import InFlight, Peers


def test_a_peer_has_its_fill_and_gets_room_again() -> None:
    peers = Peers(2)
    assert peers.enter("192.0.2.1")
    assert peers.enter("192.0.2.1")
    assert not peers.enter("192.0.2.1")
    assert peers.enter("192.0.2.2")
    peers.leave("192.0.2.1")
    assert peers.enter("192.0.2.1")
    assert not peers.enter("192.0.2.1")


def test_a_peer_has_one_name_over_both_versions() -> None:
    for shown, met in (("::ffff:192.0.2.1", "192.0.2.1"), ("192.0.2.1", "192.0.2.1"), ("2001:db8::1", "2001:db8::1")):
        assert plain(ip_address(shown)) == ip_address(met)


def test_nothing_is_remembered_of_peers_that_left() -> None:
    peers = Peers(2)
    for n in range(100):
        assert peers.enter(str(n))
        peers.leave(str(n))
    assert not peers._held


def test_bytes_are_reserved_grown_shrunk_and_given_back() -> None:
    room = InFlight(1000)
    first = room.hold(600)
    assert first
    assert room.hold(401) is None
    second = room.hold(400)
    assert second
    assert room.held == 1000
    assert not second.grow_to(401)
    assert second.grow_to(100)
    assert room.held == 1000
    first.shrink_to(100)
    assert room.held == 500
    assert second.grow_to(900)
    first.shrink_to(200)
    assert room.held == 1000
    first.release()
    first.release()
    assert room.held == 900
    second.release()
    assert room.held == 0
