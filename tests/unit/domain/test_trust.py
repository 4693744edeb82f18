"""When From is believed: it equals the envelope sender, or the two are an allowed pair."""

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailgate.domain.address import fold, parse_envelope
from mailgate.domain.trust import Relay, SenderPair, Trust, believe, relay_at
from mailgate.errors import Reason, Refused

VOUCHED = Relay(name="office")
UNCHECKED = Relay(name="office", envelope_must_match=False)
PAIRS = frozenset(
    {SenderPair("anna@legit.test", "support@legit.test"), SenderPair("newsletter@legit.test", "bob@legit.test")}
)


@pytest.mark.parametrize(
    ("author", "sender"),
    [
        pytest.param("anna@legit.test", "anna@legit.test", id="the same address"),
        pytest.param("support@legit.test", "anna@legit.test", id="an allowed pair"),
        pytest.param(fold("Anna@LEGIT.test."), fold("aNNa@legit.TEST"), id="the same address, other case"),
        pytest.param(fold("anna@faß.example"), fold("ANNA@XN--FA-HIA.example"), id="the same domain, both forms"),
        pytest.param(fold('"anna"@legit.test'), "anna@legit.test", id="needless quotes"),
        pytest.param(fold("SUPPORT@legit.test"), fold("Anna@Legit.test"), id="an allowed pair, other case"),
    ],
)
def test_the_author_is_believed(author: str, sender: str) -> None:
    assert believe(VOUCHED, author, sender, PAIRS) is Trust.VOUCHED


@pytest.mark.parametrize(
    ("author", "sender"),
    [
        pytest.param("bob@legit.test", "anna@legit.test", id="another user of the same domain"),
        pytest.param("anna@legit.test", "support@legit.test", id="an allowed pair the other way round"),
        pytest.param("support@legit.test", "newsletter@legit.test", id="halves of two pairs"),
        pytest.param("anna@legit.test", "", id="the null sender"),
        pytest.param("anna@legit.test", "anna+x@legit.test", id="a tagged sender"),
        pytest.param("anna@legit.test", "anna@mail.legit.test", id="a subdomain"),
        pytest.param("anna@legit.test", "anna@legit.test.attack.test", id="a domain that starts alike"),
        pytest.param("anna@legit.test", "xanna@legit.test", id="a local part that ends alike"),
        pytest.param(fold("groß@legit.test"), fold("gross@legit.test"), id="ß and ss"),
        pytest.param(fold("anna@straße.example"), fold("anna@strasse.example"), id="ß and ss in the domain"),
        pytest.param("anna@legit.test", parse_envelope("anna@legit.test\u200b"), id="an envelope that is no address"),
    ],
)
def test_the_author_is_not_believed_and_named(author: str, sender: str) -> None:
    with pytest.raises(Refused) as refusal:
        believe(VOUCHED, author, sender, PAIRS)
    assert (refusal.value.reason, refusal.value.value) == (Reason.NOT_BELIEVED, author)


def test_without_pairs_only_the_same_address_counts() -> None:
    assert believe(VOUCHED, "anna@legit.test", "anna@legit.test", frozenset()) is Trust.VOUCHED
    with pytest.raises(Refused):
        believe(VOUCHED, "support@legit.test", "anna@legit.test", frozenset())


@pytest.mark.parametrize("sender", ["anna@legit.test", "bob@legit.test", ""])
def test_a_relay_that_checks_from_itself_is_believed_as_it_is(sender: str) -> None:
    assert believe(UNCHECKED, "anna@legit.test", sender, frozenset()) is Trust.VOUCHED


@pytest.mark.parametrize("kind", [Trust.STAMPED, Trust.VERIFIED, Trust.NONE])
@pytest.mark.parametrize("must_match", [True, False])
def test_any_other_kind_of_proof_believes_nobody_yet(kind: Trust, must_match: bool) -> None:
    relay = Relay(name="office", trust=kind, envelope_must_match=must_match)
    with pytest.raises(Refused) as refusal:
        believe(relay, "anna@legit.test", "anna@legit.test", PAIRS)
    assert refusal.value.reason is Reason.NOT_BELIEVED


def test_a_relay_compares_the_envelope_unless_told_otherwise() -> None:
    assert VOUCHED.trust is Trust.VOUCHED
    assert VOUCHED.envelope_must_match


_ADDRESSES = st.sampled_from(["anna@legit.test", "bob@legit.test", "support@legit.test", "newsletter@legit.test", ""])


@settings(deadline=None)
@given(_ADDRESSES, _ADDRESSES, st.frozensets(st.builds(SenderPair, _ADDRESSES, _ADDRESSES)))
def test_nobody_is_believed_without_the_same_address_or_a_pair(
    author: str, sender: str, pairs: frozenset[SenderPair]
) -> None:
    try:
        believe(VOUCHED, author, sender, pairs)
    except Refused:
        assert author != sender
        assert SenderPair(sender, author) not in pairs
    else:
        assert author == sender or SenderPair(sender, author) in pairs


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
