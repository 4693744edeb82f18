"""Which DKIM signatures show that a domain stands for a mail: cases 40 to 43."""

import base64
import time
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256

import dkim
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailgate.domain.header import split
from mailgate.mailauth import canonical, signatures
from mailgate.mailauth.canonical import Message
from mailgate.mailauth.signatures import Checked
from tests.signing import NOW, SELECTOR, Zone, ed25519, rsa, rsa_record, sign, zone

MAIL = (
    b"From: Anna Muster <anna@legit.example>\r\nTo: Paul <paul@customer.example>\r\n"
    b"Subject:  Offer \t for\r\n you\r\nMessage-ID: <1@legit.example>\r\n\r\nHello  Paul,\t \r\n\r\nBye\r\n\r\n"
)
KEY = f"{SELECTOR}._domainkey.legit.example"
BREAK = b"\r\n"


def check(raw: bytes, dns: Zone | None = None, author_domain: str = "legit.example") -> list[Checked]:
    message = Message(split(raw), raw)
    own, others = signatures.read(message, author_domain)
    return [signatures.check(message, each, dns if dns is not None else zone(), NOW) for each in (*own, *others)]


def result(raw: bytes, dns: Zone | None = None) -> str:
    [checked] = check(raw, dns)
    return checked.result


def with_key(*records: bytes) -> Zone:
    return zone(**{KEY: records})


@pytest.mark.parametrize(
    "form", ["relaxed/relaxed", "relaxed/simple", "simple/relaxed", "simple/simple", "relaxed", ""]
)
@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
@pytest.mark.parametrize(
    "body", [b"Hello  Paul \r\n\r\n\r\n", b"", b"\r\n", b"no end", b" \t\r\n", b"bare\nlf\rcr\r\n"]
)
def test_a_good_signature_passes(form: str, kind: str, body: bytes) -> None:
    key = rsa() if kind == "rsa" else ed25519()
    raw = MAIL.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" + body
    if b"bare" in body:  # dkimpy mends line ends before it signs
        assert result(sign(raw, key, {"c": form}), with_key(key.record)) == "fail"
    else:
        assert result(sign(raw, key, {"c": form}), with_key(key.record)) == "pass"


@pytest.mark.parametrize(
    ("name", "tags", "expected"),
    [
        ("nothing odd", {}, "pass"),
        ("case 40: l= of the whole body", {"l": "1000000"}, "policy"),
        ("case 40: l= of its beginning", {"l": "5"}, "policy"),
        ("case 40: l=0", {"l": "0"}, "policy"),
        ("case 40: l= that is no number", {"l": "x"}, "policy"),
        ("case 42: rsa-sha1", {"a": "rsa-sha1"}, "policy"),
        ("case 42: x= past", {"t": str(NOW - 900), "x": str(NOW - 400)}, "fail"),
        ("case 42: x= past, and no t=", {"t": "", "x": str(NOW - 400)}, "fail"),
        ("case 42: x= just past, by a clock that is a little off", {"t": "", "x": str(NOW - 50)}, "pass"),
        ("case 42: x= to come", {"x": str(NOW + 10)}, "pass"),
        ("case 42: x= before t=", {"t": str(NOW + 100), "x": str(NOW + 50)}, "fail"),
        ("case 42: t= in the future", {"t": str(NOW + 86_400)}, "fail"),
        ("case 42: t= by a clock of another zone", {"t": str(NOW + 7200)}, "pass"),
        ("case 42: t= that is no number", {"t": "-5"}, "permerror"),
        ("case 42: x= that is no number", {"x": "1e99"}, "permerror"),
        ("case 42: x= endless", {"x": "9" * 300}, "permerror"),
        ("no t=", {"t": ""}, "pass"),
        ("case 42: v=2", {"v": "2"}, "permerror"),
        ("case 42: no v=", {"v": ""}, "permerror"),
        ("case 42: i= not under d=", {"i": "anna@attack.example"}, "permerror"),
        ("case 42: i= of a longer name", {"i": "anna@notlegit.example"}, "permerror"),
        ("case 42: i= above d=", {"d": "mail.legit.example", "i": "anna@legit.example"}, "permerror"),
        ("case 42: i= without @", {"i": "legit.example"}, "permerror"),
        ("case 42: i= empty", {"i": "@"}, "permerror"),
        ("i= under d=", {"i": "anna@sub.legit.example"}, "pass"),
        ("i= the very d=", {"i": "@LEGIT.example"}, "pass"),
        ("another query", {"q": "https"}, "permerror"),
        ("the usual query", {"q": "dns/txt"}, "pass"),
        ("an unknown algorithm", {"a": "rsa-md5"}, "permerror"),
        ("the key's kind is another", {"a": "ed25519-sha256"}, "permerror"),
        ("an unknown form", {"c": "nofws"}, "permerror"),
        ("an unknown form of the body", {"c": "relaxed/nofws"}, "permerror"),
        ("d= in capitals", {"d": "LEGIT.Example"}, "pass"),
        ("d= no domain", {"d": "legit..example"}, "permerror"),
        ("d= an address", {"d": "anna@legit.example"}, "permerror"),
        ("d= a literal", {"d": "[192.0.2.1]"}, "permerror"),
        ("d= with a NUL", {"d": "legit.example\0.attack.example"}, "permerror"),
        ("case 43: s= with a NUL", {"s": "s1\0"}, "permerror"),
        ("case 43: s= with dots in a row", {"s": "s1..x"}, "permerror"),
        ("case 43: s= ..", {"s": ".."}, "permerror"),
        ("case 43: s= of 300 bytes", {"s": "x" * 300}, "permerror"),
        ("case 43: s= of 300 bytes in labels", {"s": ".".join(["x" * 50] * 6)}, "permerror"),
        ("case 43: s= with a slash", {"s": "../../etc"}, "permerror"),
        ("case 43: s= with a space", {"s": "s1 x"}, "permerror"),
        ("bh= of another body", {"bh": base64.b64encode(b"x" * 32).decode()}, "fail"),
        ("bh= no base64", {"bh": "@@@"}, "permerror"),
        ("bh= empty", {"bh": ""}, "fail"),
    ],
)  # fmt: skip
def test_what_a_signature_says_of_itself(name: str, tags: Mapping[str, str], expected: str) -> None:
    dns = zone()
    assert result(sign(MAIL, rsa(), tags), dns) == expected, name
    assert all(asked in (KEY, f"{SELECTOR}._domainkey.mail.legit.example") for asked in dns.asked)


@pytest.mark.parametrize(
    ("name", "signed", "expected"),
    [
        ("From and more", (b"from", b"to"), "pass"),
        ("From only", (b"from",), "pass"),
        ("From in capitals", (b"FROM",), "pass"),
        ("From signed twice, against a second one", (b"from", b"from", b"to"), "pass"),
        ("fields that are not there", (b"from", b"cc", b"x-none"), "pass"),
        ("case 42: From not signed", (b"to", b"subject"), "permerror"),
        ("something like From", (b"from2", b"x-from"), "permerror"),
        ("case 43: h= of 15 kB", (b"from", *(b"x-%d" % each for each in range(2000))), "policy"),
        ("more names than anybody signs", (b"from", *(b"x" for _ in range(600))), "policy"),
    ],
)
def test_what_a_signature_covers(name: str, signed: Sequence[bytes], expected: str) -> None:
    assert result(sign(MAIL, rsa(), signed=signed)) == expected, name


RECORD = rsa().record


@pytest.mark.parametrize(
    ("name", "records", "expected"),
    [
        ("the key", [RECORD], "pass"),
        ("the key without v=", [RECORD.removeprefix(b"v=DKIM1; ")], "pass"),
        ("the key without k=", [RECORD.replace(b"k=rsa; ", b"")], "pass"),
        ("the key with white space in it", [RECORD.replace(b"MII", b"M I\tI")], "pass"),
        ("for mail", [RECORD + b"; s=email"], "pass"),
        ("for all", [RECORD + b"; s=*"], "pass"),
        ("for mail and more", [RECORD + b"; s=other:email"], "pass"),
        ("for SHA-256", [RECORD + b"; h=sha1:sha256"], "pass"),
        ("with notes", [RECORD + b"; n=hello"], "pass"),
        ("no key", [], "permerror"),
        ("case 42: revoked", [b"v=DKIM1; k=rsa; p="], "permerror"),
        ("case 42: on trial", [RECORD + b"; t=y"], "neutral"),
        ("case 42: on trial and strict", [RECORD + b"; t=s:y"], "neutral"),
        ("case 42: RSA of 512 bits", [rsa(512).record], "policy"),
        ("case 42: RSA of 1023 bits", [rsa_record((1 << 1023) - 1, 65537)], "policy"),
        ("case 43: RSA of 20,000 bits", [rsa_record((1 << 20_000) + 1, 65537)], "policy"),
        ("case 43: an exponent of 2000 bits", [rsa_record(rsa().private["modulus"], (1 << 2000) + 1)], "policy"),
        ("an exponent of 1", [rsa_record(rsa().private["modulus"], 1)], "policy"),
        ("case 43: a record of 60 kB", [RECORD + b"; n=" + b"x" * 60_000], "permerror"),
        ("case 43: a key of 60 kB", [b"v=DKIM1; p=" + b"A" * 60_000], "permerror"),
        ("not for mail", [RECORD + b"; s=tlsrpt"], "permerror"),
        ("for SHA-1 only", [RECORD + b"; h=sha1"], "permerror"),
        ("another version", [RECORD.replace(b"DKIM1", b"DKIM2")], "permerror"),
        ("an unknown kind", [RECORD.replace(b"k=rsa", b"k=dsa")], "permerror"),
        ("of the other kind", [ed25519().record], "permerror"),
        ("a tag twice", [RECORD + b"; k=rsa"], "permerror"),
        ("no tags", [b"hello"], "permerror"),
        ("nothing", [b""], "permerror"),
        ("no base64", [b"v=DKIM1; p=@@@@"], "permerror"),
        ("no key in it", [b"v=DKIM1; p=" + base64.b64encode(b"x" * 200)], "permerror"),
        ("a key that is cut off", [RECORD[:100]], "permerror"),
        ("another key", [rsa(1024).record], "fail"),
        ("case 43: beside something else", [b"v=spf1 -all", RECORD, b"\xff\xfe"], "pass"),
        ("case 43: beside one of the other kind", [ed25519().record, RECORD], "pass"),
        ("case 43: beside another one", [rsa(1024).record, RECORD], "pass"),
        ("case 43: beside a revoked one", [RECORD, b"v=DKIM1; k=rsa; p="], "permerror"),
        ("case 43: behind many others", [*[rsa(1024).record] * 3, RECORD], "fail"),
    ],
)
def test_what_the_key_must_be(name: str, records: Sequence[bytes], expected: str) -> None:
    assert result(sign(MAIL, rsa()), with_key(*records)) == expected, name


def test_a_strict_key_is_for_its_own_domain_only() -> None:
    dns = with_key(RECORD + b"; t=s")
    assert result(sign(MAIL, rsa(), {"i": "anna@legit.example"}), dns) == "pass"
    assert result(sign(MAIL, rsa(), {"i": "anna@sub.legit.example"}), dns) == "permerror"


def test_a_key_of_1024_bits_still_counts() -> None:
    assert result(sign(MAIL, rsa(1024)), with_key(rsa(1024).record)) == "pass"


SIGNED = sign(MAIL, rsa(), {"h": "from:to:subject:cc"})


def ending(raw: bytes, line: bytes) -> bytes:
    """Let the header end with one more line."""
    return raw.replace(b"\r\n\r\n", b"\r\n" + line + b"\r\n\r\n", 1)


@pytest.mark.parametrize(
    ("name", "change", "expected"),
    [
        ("nothing", lambda raw: raw, "pass"),
        ("a Received on top", lambda raw: b"Received: by x\r\n" + raw, "pass"),
        ("the subject", lambda raw: raw.replace(b"Offer", b"Bill!"), "fail"),
        ("the author", lambda raw: raw.replace(b"anna@", b"paul@"), "fail"),
        ("the author's name", lambda raw: raw.replace(b"Anna", b"Emma"), "fail"),
        ("the body", lambda raw: raw.replace(b"Hello", b"HeIIo"), "fail"),
        ("more body", lambda raw: raw + b"PS: pay\r\n", "fail"),
        ("empty lines below", lambda raw: raw + b"\r\n\r\n", "pass"),
        ("white space in the body", lambda raw: raw.replace(b"Hello  Paul", b"Hello \t Paul"), "pass"),
        ("case 41: a second From on top", lambda raw: b"From: paul@legit.example\r\n" + raw, "policy"),
        ("case 41: a second From below", lambda raw: raw.replace(b"\nTo:", b"\nFrom: p@x.example\r\nTo:"), "policy"),
        ("case 41: a second From, spaced", lambda raw: b"From : paul@legit.example\r\n" + raw, "policy"),
        ("case 41: the From spaced", lambda raw: raw.replace(b"From:", b"From :"), "policy"),
        ("case 41: a second Subject on top", lambda raw: b"Subject: Bill\r\n" + raw, "policy"),
        ("case 41: a second To on top", lambda raw: b"To: mallory@attack.example\r\n" + raw, "policy"),
        ("case 41: a Cc that was signed as not there", lambda raw: b"Cc: mallory@attack.example\r\n" + raw, "fail"),
        ("case 41: a second Subject below", lambda raw: raw.replace(b"\nTo:", b"\nSubject: Bill\r\nTo:"), "policy"),
        ("the same Subject again", lambda raw: b"Subject: Offer \t for\r\n you\r\n" + raw, "pass"),
        ("a second one of what nobody signed", lambda raw: b"Message-ID: <2@legit.example>\r\n" + raw, "pass"),
        ("a line that is no field, with which readers begin the body", lambda raw: ending(raw, b"Pay me"), "policy"),
        ("the same, below a field of one's own", lambda raw: ending(raw, b"X-Pay: 1\r\nPay me"), "policy"),
        ("another field below all", lambda raw: ending(raw, b"X-Pay: 1"), "pass"),
        ("a field whose name is not ASCII", lambda raw: raw.replace(b"\nTo:", b"\nT\xc3\xb6: x\r\nTo:"), "policy"),
        ("the line of a mailbox file on top", lambda raw: b"From anna Mon Jan  1 00:00:00 2024\r\n" + raw, "pass"),
        ("no From", lambda raw: raw.replace(b"From:", b"Fro:"), "policy"),
        ("b= of nothing", lambda raw: raw[: raw.index(b" b=")] + b" b=\r\n" + MAIL, "permerror"),
        ("b= cut off", lambda raw: raw.replace(b"==\r\n", b"\r\n", 1), "permerror"),
        ("b= folded", lambda raw: raw.replace(b" b=", b"\r\n\t b=\r\n\t  ", 1), "pass"),
        ("d= twice", lambda raw: raw.replace(b"d=legit", b"d=x.example; d=legit", 1), "permerror"),
        ("a tag added", lambda raw: raw.replace(b"v=1;", b"v=1; z=x;", 1), "fail"),
        ("no tags", lambda _: b"DKIM-Signature: hello\r\n" + MAIL, "permerror"),
        ("nothing in it", lambda _: b"DKIM-Signature:\r\n" + MAIL, "permerror"),
    ],
)  # fmt: skip
def test_what_may_be_changed_on_the_way(name: str, change: Callable[[bytes], bytes], expected: str) -> None:
    raw = change(SIGNED)
    assert raw != SIGNED or name == "nothing"
    assert result(raw) == expected, name


def test_a_dead_name_server_is_a_temporary_error_and_never_no_key() -> None:
    dns = zone()
    dns.down = {KEY}
    assert result(SIGNED, dns) == "temperror"


def test_a_changed_body_costs_no_look_up() -> None:
    dns = zone()
    assert result(SIGNED + b"x\r\n", dns) == "fail"
    assert not dns.asked


def test_an_international_domain_signs_by_either_spelling() -> None:
    raw = MAIL.replace(b"legit.example", "münchen.example".encode())
    dns = zone(**{f"{SELECTOR}._domainkey.xn--mnchen-3ya.example": [RECORD]})
    for spelling in ("münchen.example", "xn--mnchen-3ya.example"):
        [checked] = check(sign(raw, rsa(), {"d": spelling}), dns)
        assert (checked.result, checked.domain) == ("pass", "xn--mnchen-3ya.example")


# -- many -------------------------------------------------------------------------------------------------------------


def test_each_signature_is_told() -> None:
    raw = sign(sign(sign(MAIL, rsa()), rsa(), {"d": "list.example"}), rsa(), {"d": "gone.example"})
    assert [(each.domain, each.result) for each in check(raw)] == [
        ("legit.example", "pass"),
        ("gone.example", "permerror"),
        ("list.example", "pass"),
    ]


def test_case_43_a_flood_of_foreign_signatures_does_not_hide_the_honest_one() -> None:
    foreign = sign(MAIL, rsa(), {"d": "attack.example"})[: -len(MAIL)]
    dns = zone()
    checked = check(foreign * 100 + SIGNED[: -len(MAIL)] + foreign * 100 + MAIL, dns)
    assert len(checked) == signatures.MAX_TRIED
    assert (checked[0].domain, checked[0].result) == ("legit.example", "pass")
    assert len(dns.asked) <= signatures.MAX_TRIED


def took(raw: bytes) -> float:
    before = time.process_time()
    check(raw)
    return time.process_time() - before


WHITE = b"\r\n " * 100_000


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("200 signatures", SIGNED[: -len(MAIL)] * 200 + MAIL),
        ("a signature of 1 MB", b"DKIM-Signature: v=1; z=" + b"x" * 2**20 + b"\r\n" + SIGNED),
        ("signatures full of white space", (b"DKIM-Signature: v=1; b" + b"\r\n " * 2500 + b"\r\n") * 100 + SIGNED),
        ("many runs of white space", (b"DKIM-Signature: v=1;" + (b" b" + b"\r\n " * 20) * 99 + b"=\r\n") * 9 + SIGNED),
        ("a subject of 1 MB of white space", SIGNED.replace(b"Offer", b"Offer" + WHITE * 3)),
        ("a subject of 1 MB", SIGNED.replace(b"Offer", b"a " * 2**19)),
        ("200,000 fields", b"X:\r\n" * 200_000 + SIGNED),
        ("200,000 subjects", b"Subject:\r\n" * 100_000 + SIGNED),
        ("a body of white space", sign(MAIL, rsa(), {"c": "relaxed/relaxed", "bh": "AAAA"}) + b" \t" * 2**20 + b"x"),
        ("a body of empty lines", sign(MAIL, rsa(), {"c": "relaxed/simple", "bh": "AAAA"}) + b"\r\n" * 2**20),
        ("a body of half line ends", sign(MAIL, rsa(), {"c": "relaxed/simple", "bh": "AAAA"}) + b"\r\r\n\n" * 2**20),
        ("100,000 empty signatures", b"DKIM-Signature:\r\n" * 100_000 + SIGNED),
    ],
)  # fmt: skip
def test_case_43_time_is_bounded(name: str, raw: bytes) -> None:
    assert took(raw) < 5, name


# -- the body ---------------------------------------------------------------------------------------------------------

BODIES = st.lists(
    st.sampled_from([b" ", b"\t", b"\r\n", b"\r", b"\n", b"a", b"bc", b"\0", b"\xff", b"  \r\n", b"\r\n\r\n"])
).map(b"".join)


@settings(deadline=None)
@given(BODIES, st.booleans())
def test_bodies_are_brought_into_the_form_that_dkimpy_brings_them_into(body: bytes, long: bool) -> None:
    body = body + b"\r\n" * 2**16 if long else body
    forms = dkim.canonicalization.Simple, dkim.canonicalization.Relaxed
    simple, relaxed = (form.canonicalize_body(body) for form in forms)
    assert canonical.simple(body) == simple
    assert canonical.relaxed(body) == relaxed
    raw = b"From: anna@legit.example\r\n\r\n" + body
    message = Message(split(raw), raw)
    assert message.body_digest(b"simple") == sha256(simple).digest()
    assert message.body_digest(b"relaxed") == sha256(relaxed).digest()


@settings(deadline=None)
@given(st.binary(max_size=300), st.binary(max_size=100))
def test_whatever_stands_in_a_signature_it_is_told_and_nothing_is_raised(value: bytes, above: bytes) -> None:
    raw = above + b"\r\nDKIM-Signature: " + value + b"\r\n" + MAIL
    assert not any(each.passed for each in check(raw))


@settings(deadline=None)
@given(st.sampled_from(["v", "a", "c", "d", "s", "t", "x", "i", "h", "q"]), st.text(max_size=30))
def test_whatever_a_tag_says_only_known_names_are_asked_for(tag: str, said: str) -> None:
    dns = zone()
    for each in check(sign(MAIL, rsa(1024), {tag: said or "-"}), dns):
        assert each.result in {"pass", "fail", "policy", "permerror", "neutral"}
    assert all(len(name) <= 253 and name.isascii() and " " not in name and "\0" not in name for name in dns.asked)


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_whatever_a_key_record_holds_it_is_told_and_nothing_is_raised(record: bytes) -> None:
    assert not any(each.passed for each in check(SIGNED, with_key(record, b"v=DKIM1; p=" + record)))
