"""When a vouched From is believed: it equals the envelope sender, or the two are an allowed pair; and the login."""

from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mailgate.domain.address import fold, parse_envelope
from mailgate.domain.header import Header, split
from mailgate.domain.proof import Authorship
from mailgate.domain.trust import Client, Relay, SenderPair, Trust
from mailgate.domain.vouching import examine, login_of, logins

VOUCHED = Relay(name="office")
UNCHECKED = Relay(name="office", envelope_must_match=False)
NO_FIELDS = Header((), 0)
PAIRS = frozenset(
    {SenderPair("anna@legit.test", "support@legit.test"), SenderPair("newsletter@legit.test", "bob@legit.test")}
)


def believes(relay: Relay, author: str, sender: str, pairs: frozenset[SenderPair]) -> bool:
    said = Authorship(relay=relay, client=Client(), author=author, sender=sender, fields=NO_FIELDS, raw=b"")
    return examine(said, pairs, (), ()).believed


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


# -- the login --------------------------------------------------------------------------------------------------------

LOGIN = replace(VOUCHED, login=True)
BY = "by mx.legit.test (Postfix) with ESMTPSA id 4bKxyz for <x@log.test>; Sun, 22 Nov 2026 12:00:00 +0000"
TLS = "(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange X25519)"
CERT = '(Client CN "pc", Issuer "CA (test)" (verified OK))'
FROM = "from pc (pc.legit.test [192.0.2.7])"
ANNAS = "(Authenticated sender: anna@legit.test)"


@pytest.mark.parametrize(
    ("value", "login"),
    [
        (f"{FROM} {ANNAS} {BY}", "anna@legit.test"),
        (f"{FROM}\r\n\t{TLS}\r\n\t(No client certificate requested)\r\n\t{ANNAS}\r\n\t{BY}", "anna@legit.test"),
        (f"{FROM}\r\n\t{TLS}\r\n\t{CERT}\r\n\t{ANNAS}\r\n\t{BY}", "anna@legit.test"),
        (f"{FROM} (Authenticated sender: Anna@LEGIT.test) {BY}", "anna@legit.test"),
        (f"{FROM} {ANNAS} {BY.replace('ESMTPSA', 'UTF8SMTPSA')}", "anna@legit.test"),
        (f"{FROM} {ANNAS} {BY.replace('ESMTPSA', 'ESMTPA')}", "anna@legit.test"),
        (f"from [192.0.2.7] (unknown [192.0.2.7]) {ANNAS} {BY}", "anna@legit.test"),
        (f"{FROM} (Authenticated sender: anna+tag@legit.test) {BY}", "anna+tag@legit.test"),
    ],
)
def test_the_login_is_read_where_postfix_writes_it(value: str, login: str) -> None:
    assert login_of(f" {value}".encode()) == (login,)


MARK = "(Authenticated sender: victim@legit.test)"

# what a client can choose: HELO, certificate, recipient, login; and other fields than Postfix's
NO_LOGIN: list[tuple[str, str]] = [
    ("none", f"{FROM} {TLS} {BY}"),
    ("nothing at all", ""),
    ("no login took place", f"{FROM} {MARK} {BY.replace('ESMTPSA', 'ESMTPS')}"),
    ("plain SMTP", f"{FROM} {MARK} {BY.replace('ESMTPSA', 'SMTP')}"),
    ("an unknown protocol", f"{FROM} {MARK} {BY.replace('ESMTPSA', 'XSMTPSA')}"),
    ("two of them", f"{FROM} {MARK} {ANNAS} {BY}"),
    ("the same twice", f"{FROM} {MARK} {MARK} {BY}"),
    ("as HELO", f"from {MARK} (pc.legit.test [192.0.2.7]) {BY}"),
    ("behind HELO", f"from pc{MARK} x (pc.legit.test [192.0.2.7]) {BY}"),
    ("before HELO", f"{MARK} {FROM} {BY}"),
    ("in a certificate", f'{FROM} (Client CN "{MARK}", Issuer "CA" (verified OK)) {BY}'),
    ("in a certificate, by a quote in HELO", f'from " (x [192.0.2.7]) (Client CN "{MARK}", Issuer "CA" (no)) {BY}'),
    ("in a comment", f"{FROM} (x {MARK}) {BY}"),
    ("in a quoted string", f'{FROM} "{MARK}" {BY}'),
    ("in the recipient", f"{FROM} {BY.replace('x@log', MARK + 'x@log')}"),
    ("in the quoted recipient", f"{FROM} {BY.replace('x@log', chr(34) + MARK + chr(34) + '@log')}"),
    ("after by", f"{FROM} by {MARK} mx.legit.test with ESMTPSA id 1; x"),
    ("after the host", f"{FROM} by mx.legit.test {MARK} with ESMTPSA id 1; x"),
    ("at the end", f"{FROM} {BY} {MARK}"),
    ("not closed", f"{FROM} (Authenticated sender: victim@legit.test {BY}"),
    ("escaped", f"{FROM} \\{MARK} {BY}"),
    ("spelled otherwise", f"{FROM} (authenticated sender: victim@legit.test) {BY}"),
    ("with more before", f"{FROM} ( Authenticated sender: victim@legit.test) {BY}"),
    ("a login with parentheses", f"{FROM} (Authenticated sender: victim@legit.test(x)) {BY}"),
    ("a login with a comment before", f"{FROM} (Authenticated sender: (x)victim@legit.test) {BY}"),
    ("a login that had other characters", f"{FROM} (Authenticated sender: vict?m@legit.test) {BY}"),
    ("a login with 8-bit bytes", f"{FROM} (Authenticated sender: vict\u00efm@legit.test) {BY}"),
    ("a login of two words", f"{FROM} (Authenticated sender: x victim@legit.test) {BY}"),
    ("a login of two addresses", f"{FROM} (Authenticated sender: x@legit.test,victim@legit.test) {BY}"),
    ("an empty login", f"{FROM} (Authenticated sender: ) {BY}"),
    ("only a domain", f"{FROM} (Authenticated sender: @legit.test) {BY}"),
    ("no from", f"{MARK} {BY}"),
    ("words between", f"{FROM} x {MARK} {BY}"),
    ("Exim's", "from [192.0.2.7] (helo=pc) by mx.legit.test with esmtpsa (TLS1.3) (Exim 4.96) id 1; x"),
    ("too far on", f"{FROM} ({'x' * 4096}) {MARK} {BY}"),
]


@pytest.mark.parametrize("value", [case[1] for case in NO_LOGIN], ids=[case[0] for case in NO_LOGIN])
def test_what_a_client_can_write_is_no_login(value: str) -> None:
    assert login_of(f" {value}".encode(), ["legit.test"]) == ()


def test_a_login_without_a_domain_is_that_name_at_each_own_domain() -> None:
    value = f" {FROM} (Authenticated sender: Anna) {BY}".encode()
    assert login_of(value, ["legit.test", "ch.legit.test"]) == ("anna@ch.legit.test", "anna@legit.test")
    assert login_of(value) == ()


FIELD = f"Received: {FROM} {ANNAS} {BY}\r\n"
OTHER = f"Received: {FROM} {MARK} {BY}\r\n"
PLAIN = f"Received: {FROM} {BY}\r\n"


@pytest.mark.parametrize(
    ("received", "fields", "found"),
    [
        (1, FIELD + OTHER, "anna@legit.test"),
        (2, PLAIN + FIELD + OTHER, "anna@legit.test"),
        (2, OTHER + FIELD, "anna@legit.test"),
        (1, "From a Mon Jan  1 00:00:00 2026\r\nX-A: b\r\n" + FIELD, "anna@legit.test"),
        (1, PLAIN + OTHER, ""),
        (2, OTHER, ""),
        (1, "", ""),
        (1, FIELD.replace(":", " :", 1) + OTHER, ""),
        (1, "garbage\r\n" + OTHER, ""),
        (1, "X-Received: x\r\n" + PLAIN + OTHER, ""),
    ],
)
def test_the_login_stands_in_the_nth_received_from_the_top(received: int, fields: str, found: str) -> None:
    raw = f"{fields}From: <anna@legit.test>\r\n\r\n".encode()
    relay = replace(LOGIN, received=received)
    said = Authorship(relay=relay, client=Client(), author="", sender="", fields=split(raw), raw=raw)
    assert logins(said) == ((found,) if found else ())
    assert logins(replace(said, relay=replace(relay, login=False))) == ()


@pytest.mark.parametrize(
    ("author", "sender", "found", "believed"),
    [
        ("anna@legit.test", "anna@legit.test", ("anna@legit.test",), True),
        ("anna@mobile.test", "anna@mobile.test", ("anna@legit.test",), True),  # her alias
        ("support@legit.test", "support@legit.test", ("anna@legit.test",), True),  # an allowed pair
        ("support@legit.test", "anna@legit.test", ("x@a.test", "anna@legit.test"), True),
        ("bob@legit.test", "bob@legit.test", ("anna@legit.test",), False),
        ("anna@legit.test", "bob@legit.test", ("anna@legit.test",), False),
        ("anna@legit.test", "anna@legit.test", (), False),
    ],
)
def test_the_login_must_own_from_and_the_envelope_sender_must_match_all_the_same(
    author: str, sender: str, found: tuple[str, ...], believed: bool
) -> None:
    said = Authorship(relay=LOGIN, client=Client(), author=author, sender=sender, fields=NO_FIELDS, raw=b"")
    owned = {"anna@legit.test", "anna@mobile.test"} if found else set()
    evidence = examine(said, PAIRS, found, owned)
    assert evidence.believed is believed
    assert [proof.method for proof in evidence.proofs] == ["envelope", "login"]


def _sanitised(text: str) -> str:
    """What Postfix puts in a comment for text of a client: printable ASCII, no backslash, parentheses in pairs."""
    made, depth = "", 0
    for char in text:
        if not " " <= char <= "~" or char == "\\" or (char == ")" and not depth):
            made += "?"
            continue
        depth += {"(": 1, ")": -1}.get(char, 0)
        made += char
    return made + ")" * depth


_CHOSEN = st.lists(
    st.sampled_from(
        ["(", ")", '"', "\\", " ", "?", "x", "Authenticated sender: ", "victim@legit.test", MARK, "by", "with ESMTPSA"]
    ),
    max_size=8,
).map("".join)


@settings(deadline=None)
@given(_CHOSEN, _CHOSEN, _CHOSEN, _CHOSEN)
@example("pc", f"a) {MARK} (b", f") {MARK}", '"')
def test_whatever_a_client_chooses_it_is_not_somebody_elses_login(
    helo: str, name: str, issuer: str, login: str
) -> None:
    value = (
        f"from {helo.replace('(', '?').replace(')', '?').replace(' ', '?')} (pc.legit.test [192.0.2.7]) {TLS} "
        f'(Client CN "{_sanitised(name)}", Issuer "{_sanitised(issuer)}" (not verified)) '
        f"(Authenticated sender: {_sanitised('x' + login)}) {BY}"
    )
    found = login_of(value.encode())
    assert "victim@legit.test" not in found
    assert all(one.startswith("x") for one in found)
