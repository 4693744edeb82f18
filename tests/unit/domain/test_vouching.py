"""When a vouched From is believed: it equals the envelope sender, or the two are an allowed pair."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailgate.domain.address import fold, parse_envelope
from mailgate.domain.header import Header
from mailgate.domain.proof import Authorship
from mailgate.domain.trust import Client, Relay, SenderPair, Trust
from mailgate.domain.vouching import examine

VOUCHED = Relay(name="office")
UNCHECKED = Relay(name="office", envelope_must_match=False)
NO_FIELDS = Header((), 0)
PAIRS = frozenset(
    {SenderPair("anna@legit.test", "support@legit.test"), SenderPair("newsletter@legit.test", "bob@legit.test")}
)


def believes(relay: Relay, author: str, sender: str, pairs: frozenset[SenderPair]) -> bool:
    said = Authorship(relay=relay, client=Client(), author=author, sender=sender, fields=NO_FIELDS, raw=b"")
    return examine(said, pairs, "", ()).believed


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
    assert believes(VOUCHED, author, sender, PAIRS)


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
def test_the_author_is_not_believed(author: str, sender: str) -> None:
    assert not believes(VOUCHED, author, sender, PAIRS)


def test_without_pairs_only_the_same_address_counts() -> None:
    assert believes(VOUCHED, "anna@legit.test", "anna@legit.test", frozenset())
    assert not believes(VOUCHED, "support@legit.test", "anna@legit.test", frozenset())


@pytest.mark.parametrize("sender", ["anna@legit.test", "bob@legit.test", ""])
def test_a_relay_that_checks_from_itself_is_believed_as_it_is(sender: str) -> None:
    assert believes(UNCHECKED, "anna@legit.test", sender, frozenset())


def test_a_relay_compares_the_envelope_unless_told_otherwise() -> None:
    assert VOUCHED.trust is Trust.VOUCHED
    assert VOUCHED.envelope_must_match


_ADDRESSES = st.sampled_from(["anna@legit.test", "bob@legit.test", "support@legit.test", "newsletter@legit.test", ""])


@settings(deadline=None)
@given(_ADDRESSES, _ADDRESSES, st.frozensets(st.builds(SenderPair, _ADDRESSES, _ADDRESSES)))
def test_nobody_is_believed_without_the_same_address_or_a_pair(
    author: str, sender: str, pairs: frozenset[SenderPair]
) -> None:
    allowed = author == sender or SenderPair(sender, author) in pairs
    assert believes(VOUCHED, author, sender, pairs) is allowed
