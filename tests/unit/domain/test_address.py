"""Addresses: one spelling for all spellings of the same one, and nothing else for an address."""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailgate.domain.address import Mailbox, fold, fold_domain, parse_envelope, printable, same_domain
from mailgate.errors import BadInput

LONG_LOCAL = "a" * 64
LONG_DOMAIN = ".".join(["a" * 63] * 4)  # 255


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("anna@legit.test", "anna@legit.test"),
        ("Anna.Muster@LEGIT.Test", "anna.muster@legit.test"),
        ("anna@legit.test.", "anna@legit.test"),
        ("anna@localhost", "anna@localhost"),
        ("groß@legit.test", "groß@legit.test"),
        ("ÄNNA@legit.test", "Änna@legit.test"),
        ("a\u0308nna@legit.test", "änna@legit.test"),
        ("H\u0331@legit.test", "\u1e96@legit.test"),
        ("anna@faß.example", "anna@xn--fa-hia.example"),
        ("anna@FASS.example", "anna@fass.example"),
        ("anna@müller.example", "anna@xn--mller-kva.example"),
        ("anna@MÜLLER.example", "anna@xn--mller-kva.example"),
        ("anna@mu\u0308ller.example", "anna@xn--mller-kva.example"),
        ("anna@XN--MLLER-KVA.example.", "anna@xn--mller-kva.example"),
        ("anna@legit\u3002test", "anna@legit.test"),
        ("anna@my_host.test", "anna@my_host.test"),
        ("anna@r3---sn.test", "anna@r3---sn.test"),
        ("!#$%&'*+-/=?^_`{|}~@legit.test", "!#$%&'*+-/=?^_`{|}~@legit.test"),
        ("o'hara+crm@legit.test", "o'hara+crm@legit.test"),
        ('"anna"@legit.test', "anna@legit.test"),
        ('"an\\na"@legit.test', "anna@legit.test"),
        ('"Anna Muster"@legit.test', '"anna muster"@legit.test'),
        ('"a..b"@legit.test', '"a..b"@legit.test'),
        ('"A[\\]^_Z{"@legit.test', '"a[]^_z{"@legit.test'),
        ('"A@[Z"@legit.test', '"a@[z"@legit.test'),
        ('""@legit.test', '""@legit.test'),
        ('"b@legit.test"@attack.test', '"b@legit.test"@attack.test'),
        ('"a\\"@legit.test"@attack.test', '"a\\"@legit.test"@attack.test'),
        ("anna@[192.0.2.1]", "anna@[192.0.2.1]"),
        ("anna@[IPv6:2001:DB8:0:0::1]", "anna@[ipv6:2001:db8::1]"),
        (f"{LONG_LOCAL}@legit.test", f"{LONG_LOCAL}@legit.test"),
        (f"anna@{LONG_DOMAIN}.", f"anna@{LONG_DOMAIN}"),
    ],
)
def test_an_address_has_one_spelling(text: str, folded: str) -> None:
    assert fold(text) == folded
    assert fold(folded) == folded


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("groß@legit.test", "gross@legit.test"),
        ("anna@straße.example", "anna@strasse.example"),
        ("anna@legit.test", "anna@legit.test.attack.test"),
        ("anna@legit.test", "anna@xlegit.test"),
        ("anna@legit.test", "anna@mail.legit.test"),
        ("anna@legit.test", "anna@l\u0435git.test"),
        ("anna@legit.test", "\u0430nna@legit.test"),
        ("anna@legit.test", "anna+crm@legit.test"),
        ("anna@legit.test", "an.na@legit.test"),
        ("\u0131@legit.test", "i@legit.test"),
        ("\u017f@legit.test", "s@legit.test"),
        ("i@legit.test", "\u0130@legit.test"),
    ],
)
def test_two_people_stay_two(one: str, other: str) -> None:
    assert fold(one) != fold(other)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "anna",
        "@",
        "anna@",
        "@legit.test",
        "anna@legit@test",
        "anna@legit.test@attack.test",
        "anna @legit.test",
        "anna@ legit.test",
        " anna@legit.test",
        "anna@legit.test ",
        "<anna@legit.test>",
        "Anna <anna@legit.test>",
        "anna(x)@legit.test",
        "anna@legit.test(x)",
        "a,b@legit.test",
        "a;b@legit.test",
        "a:b@legit.test",
        "a\\b@legit.test",
        'a"b@legit.test',
        '"anna@legit.test',
        '"anna"b@legit.test',
        '"an"na"@legit.test',
        '"anna\\"@legit.test',
        '"a\\\u00e4"@legit.test',
        ".anna@legit.test",
        "anna.@legit.test",
        "an..na@legit.test",
        "anna@.legit.test",
        "anna@legit..test",
        "anna@legit.test..",
        "anna@.",
        "anna@-legit.test",
        "anna@legit-.test",
        "anna@le git.test",
        "anna@legit.test\n",
        "anna@legit.test/x",
        "anna@\u2100.test",
        "anna@xn--.test",
        "anna@xn--abc-.test",
        "anna@xn--\u00e4.test",
        "anna@[192.0.2.1",
        "anna@[]",
        "anna@[192.0.2.256]",
        "anna@[192.0.2.1].test",
        "anna@[IPv6:fe80::1%eth0]",
        "anna@[legit.test]",
        "a\0nna@legit.test",
        "anna\r\n@legit.test",
        '"an\tna"@legit.test',
        "an\x7fna@legit.test",
        "an\x85na@legit.test",
        "an\u200bna@legit.test",
        "an\u200dna@legit.test",
        "an\u202ena@legit.test",
        "an\u2066na@legit.test",
        "an\u00adna@legit.test",
        "an\u3164na@legit.test",
        "an\ufe0fna@legit.test",
        "an\u00a0na@legit.test",
        "an\udcffna@legit.test",
        "anna@le\u200bgit.test",
        "anna@le\u00adgit.test",
        "anna@\u202elegit.test",
        "anna@le\udcffgit.test",
        "\ufeffanna@legit.test",
        f"{LONG_LOCAL}a@legit.test",
        f"{'ä' * 33}@legit.test",
        f"anna@a{LONG_DOMAIN}",
        f"anna@{'a' * 64}.test",
        f"anna@{'ä' * 60}.test",
        "a" * 1_000_000,
        "@" * 1_000_000,
    ],
)
def test_what_is_no_address_is_refused_by_name(text: str) -> None:
    with pytest.raises(BadInput) as refusal:
        fold(text)
    message = str(refusal.value)
    assert message.startswith(repr(text[:80]))
    assert len(message) < 600


@pytest.mark.parametrize(
    ("text", "folded"),
    [("LEGIT.test.", "legit.test"), ("faß.example", "xn--fa-hia.example"), ("localhost", "localhost")],
)
def test_a_domain_has_one_spelling(text: str, folded: str) -> None:
    assert fold_domain(text) == folded


@pytest.mark.parametrize("text", ["", ".", "a b", "a@b", "a..b", "le\u200bgit.test", "a" * 256])
def test_what_is_no_domain_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        fold_domain(text)


def test_a_mailbox_knows_its_parts_where_quotes_hold_an_at() -> None:
    mailbox = Mailbox.parse('"B@legit.test"@Attack.test')
    assert (mailbox.local, mailbox.domain) == ('"b@legit.test"', "attack.test")
    assert str(mailbox) == fold('"B@legit.test"@Attack.test')


@pytest.mark.parametrize(
    ("text", "sender"),
    [
        ("", ""),
        ("<>", ""),
        ("Anna@Legit.test", "anna@legit.test"),
        ("<Anna@Legit.test>", "anna@legit.test"),
        ("a..b@legit.test", "invalid:a..b@legit.test"),
        ("postmaster", "invalid:postmaster"),
        ("@attack.test,@any.test:anna@legit.test", "invalid:@attack.test,@any.test:anna@legit.test"),
        ("an\u200bna@legit.test", "invalid:an?na@legit.test"),
        ("<", "invalid:<"),
        (" anna@legit.test", "invalid: anna@legit.test"),
        ("<invalid:anna@legit.test>", "invalid:anna@legit.test"),
        ("anna@legit.test" + "\u200b" * 100, "invalid:anna@legit.test" + "?" * 65),
        (" ", "invalid: "),
    ],
)
def test_envelope_addresses_are_folded_and_never_refused(text: str, sender: str) -> None:
    assert parse_envelope(text) == sender


@pytest.mark.parametrize(
    ("address", "domain", "same"),
    [
        ("anna@legit.test", "legit.test", True),
        ('"b@legit.test"@attack.test', "legit.test", False),
        ('"b@legit.test"@attack.test', "attack.test", True),
        ("anna@mail.legit.test", "legit.test", False),
        ("anna@xlegit.test", "legit.test", False),
        ("anna@legit.test.attack.test", "legit.test", False),
        ("", "legit.test", False),
    ],
)
def test_a_domain_is_compared_whole(address: str, domain: str, same: bool) -> None:
    assert same_domain(address, domain) is same


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("anna@legit.test", "anna@legit.test"),
        ("anna@faß.example", "anna@xn--fa-hia.example"),
        ("groß@faß.example", "gro?@xn--fa-hia.example"),
        ("a\r\n550 no\x1b[31m", "a??550 no?[31m"),
        ("Anna <anna@legit.test>, \udcff", "Anna <anna@legit.test>, ?"),
        ("x" * 1000, "x" * 80),
        ("", ""),
    ],
)
def test_replies_show_printable_ascii_only(address: str, shown: str) -> None:
    assert printable(address) == shown


# ---- properties

_LETTERS = st.characters(codec="utf-8", categories=["L", "N"], max_codepoint=0x24F)
_ATOMS = st.text(st.one_of(_LETTERS, st.sampled_from("!#$%&'*+-/=?^_`{|}~")), min_size=1, max_size=12)
_QUOTABLE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=20)
_LABELS = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9-]{0,20}[A-Za-z0-9])?", fullmatch=True).filter(
    lambda label: not label.lower().startswith("xn--")
)
_DOMAINS = st.lists(_LABELS, min_size=1, max_size=4).map(".".join)


def _quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


_LOCALS = st.one_of(st.lists(_ATOMS, min_size=1, max_size=2).map(".".join), _QUOTABLE.map(_quote)).filter(
    lambda local: len(local.encode()) <= 60
)
ADDRESSES = st.builds("{}@{}".format, _LOCALS, _DOMAINS)


@settings(deadline=None)
@given(ADDRESSES)
def test_folding_is_done_once(address: str) -> None:
    assert fold(fold(address)) == fold(address)


@settings(deadline=None)
@given(_LOCALS, _DOMAINS)
def test_the_case_of_ascii_letters_and_a_last_dot_say_nothing(local: str, domain: str) -> None:
    upper = "".join(char.upper() if char.isascii() else char for char in f"{local}@{domain}")
    assert fold(upper) == fold(f"{local}@{domain}") == fold(f"{local}@{domain}.")


@settings(deadline=None)
@given(_LOCALS, _DOMAINS)
def test_the_domain_is_never_taken_from_the_local_part(local: str, domain: str) -> None:
    assert Mailbox.parse(f"{local}@{domain}").domain == domain.lower()


@settings(deadline=None, max_examples=300)
@given(st.one_of(st.text(), st.text('aA.@"\\[]:<>xn- ä\u200b\udcff\u0331\u212a', max_size=30)))
def test_any_text_is_an_address_in_one_spelling_or_refused(text: str) -> None:
    try:
        folded = fold(text)
    except BadInput:
        if not text.startswith("<") and text:
            assert parse_envelope(text).startswith("invalid:")
    else:
        assert fold(folded) == folded
        assert parse_envelope(text) == folded
        assert "@" in folded
        assert folded.isprintable()


@settings(deadline=None)
@given(st.one_of(st.text(), ADDRESSES, ADDRESSES.map("<{}>".format), ADDRESSES.map("{}\u200b".format)))
def test_an_envelope_that_is_no_address_never_turns_into_one(text: str) -> None:
    once = parse_envelope(text)
    again = parse_envelope(once)
    assert once.startswith("invalid:") is again.startswith("invalid:")
    assert once.startswith("invalid:") or again == once


@settings(deadline=None)
@given(st.text())
def test_what_is_shown_fits_a_reply(text: str) -> None:
    shown = printable(text)
    assert len(shown) <= 80
    assert all(" " <= char <= "~" for char in shown)


def _parsed(text: str) -> str | None:
    try:
        return str(Mailbox.parse(text))
    except BadInput:
        return None


def _folded(text: str) -> str | None:
    try:
        return fold(text)
    except BadInput:
        return None


def test_a_usual_address_is_folded_as_any_other_is() -> None:
    locals_ = ("a", "A.b", "a..b", ".a", "a+b=c", "ä", "\u212a", '"a"', "a b", LONG_LOCAL, LONG_LOCAL + "a", "", "a@b")
    labels = ("x", "X1", "a-b", "-a", "a-", "a_b", "xn--mller-kva", "XN--a", "ü", "a" * 63, "a" * 64, "", "[1]", "a\n")
    hosts = [".".join(chosen) for count in range(4) for chosen in product(labels, repeat=count)]
    several = [f"{local}@{host}" for local in locals_ for host in hosts if local in {"a", "A.b"} or len(host) < 9]
    assert [_folded(text) for text in several] == [_parsed(text) for text in several]
    assert sum(map(bool, map(_parsed, several))) > 1000
