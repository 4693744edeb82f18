import base64
import time
import tracemalloc
from hashlib import sha256

import compressed_rtf  # type: ignore[import-untyped]  # it ships no types
import pytest

from mailgate import mime
from mailgate.domain.mail import Mail
from mailgate.mime import opening, tree, uuencoded
from tests.unit.mime import envelopes, winmail

PDF = b"%PDF-1.7 offer"
HEAD = b"From: a@a.example\r\nSubject: s\r\n"
BODIES = winmail.message(
    winmail.unicode(winmail.P_BODY, "The body inside."), winmail.unicode(winmail.P_HTML, "<p>The <b>body</b> inside.")
)
TNEF = winmail.stream(BODIES, winmail.attached("OFFER~1.PDF", PDF, winmail.unicode(winmail.P_LONG_NAME, "Offer 7.pdf")))
ENTITY = b"Content-Type: text/plain\r\n\r\nWhat was signed."
UU = b"begin 644 a.txt\r\n#86)C\r\n`\r\nend\r\n"


def part(media: bytes, content: bytes, name: bytes = b"") -> bytes:
    named = b"; name=" + name if name else b""
    head = b"Content-Type: " + media + named + b"\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    return head + base64.encodebytes(content)


def mixed(*parts: bytes, kind: bytes = b"mixed") -> bytes:
    inside = b"".join(b"--b\r\n" + each + b"\r\n" for each in parts)
    return HEAD + b"Content-Type: multipart/" + kind + b"; boundary=b\r\n\r\n" + inside + b"--b--\r\n"


def plain(text: bytes) -> bytes:
    return part(b"text/plain; charset=utf-8", text)


def winmail_dat(content: bytes = TNEF) -> bytes:
    return part(b"application/ms-tnef", content, b"winmail.dat")


def p7m(entity: bytes, name: bytes = b"smime.p7m") -> bytes:
    return part(b"application/pkcs7-mime", envelopes.signed_open(envelopes.in_pieces(entity, 1000)), name)


def names(mail: Mail) -> list[str]:
    return [document.name for document in mail.documents]


def codes(mail: Mail) -> list[str]:
    return [note.code for note in mail.notes]


@pytest.mark.parametrize("blank", [b"", b" ", b"\r\n\r\n", "\u00a0\r\n".encode()])
def test_the_body_of_a_winmail_dat_is_shown_where_the_text_is_blank(blank: bytes) -> None:
    mail = mime.read(mixed(plain(blank), winmail_dat()))
    assert (mail.text, mail.html) == ("The body inside.", "<p>The <b>body</b> inside.</p>")
    assert names(mail) == ["winmail.dat", "Offer 7.pdf"]


def test_the_body_of_a_winmail_dat_is_shown_where_there_is_no_text() -> None:
    mail = mime.read(HEAD + winmail_dat())
    assert mail.text == "The body inside."
    assert codes(mail) == ["tnef"]


def test_the_text_of_the_mail_itself_is_shown_rather_than_that_of_its_winmail_dat() -> None:
    mail = mime.read(mixed(plain(b"Its own."), winmail_dat()))
    assert (mail.text, mail.html) == ("Its own.", "")
    assert names(mail) == ["winmail.dat", "Offer 7.pdf"]


def test_a_broken_winmail_dat_is_a_document_and_nothing_more() -> None:
    mail = mime.read(mixed(plain(b"Its own."), winmail_dat(b"broken")))
    assert (names(mail), codes(mail)) == (["winmail.dat"], [])


def test_that_a_mail_is_attached_in_it_and_that_there_is_more_is_said() -> None:
    inner = winmail.stream(winmail.attached("a.txt", b"a"))
    within = winmail.attached("m", None, winmail.binary(winmail.P_OBJECT, winmail.MESSAGE_IID + inner, winmail.OBJECT))
    (note,) = mime.read(HEAD + winmail_dat(winmail.stream(within, winmail.attached("b", b"b") * 600))).notes
    assert note.text == (
        "Outlook sent it as winmail.dat; what is inside is listed too; of the mails that are attached in it, the text"
        " and the files; there is more in it than is taken out."
    )


def test_a_picture_inside_is_shown_by_the_html_inside() -> None:
    html = winmail.message(winmail.unicode(winmail.P_HTML, '<p>x<img src="cid:logo@x">'))
    picture = winmail.attached("logo.png", b"\x89PNG", winmail.text8(winmail.P_CONTENT_ID, "logo@x"))
    mail = mime.read(HEAD + winmail_dat(winmail.stream(html, picture)))
    assert [document.inline for document in mail.documents] == [False, True]


def test_a_mail_in_a_signed_envelope_is_read_and_the_envelope_stays() -> None:
    inside = mixed(b"\r\nWhat was signed.", part(b"application/pdf", PDF, b"offer.pdf")).removeprefix(HEAD)
    mail = mime.read(HEAD + p7m(inside))
    assert mail.text == "What was signed."
    assert (names(mail), codes(mail)) == (["smime.p7m", "offer.pdf"], ["signed"])


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ([p7m(ENTITY), plain(b"A list's footer.")], "What was signed.\n\nA list's footer."),
        ([plain(b"A banner."), p7m(ENTITY)], "A banner.\n\nWhat was signed."),
        ([plain(b"Above."), p7m(ENTITY), plain(b"Below.")], "Above.\n\nWhat was signed.\n\nBelow."),
    ],
)
def test_what_was_signed_is_shown_at_its_place(parts: list[bytes], text: str) -> None:
    assert mime.read(mixed(*parts)).text == text


def test_a_bare_text_that_was_signed_is_shown() -> None:
    assert mime.read(HEAD + p7m(b"Just words, no header.")).text == "Just words, no header."


def test_a_file_that_was_signed_is_listed_and_not_shown() -> None:
    mail = mime.read(mixed(plain(b"The invoice."), p7m(b"<invoice/>", b"invoice.xml.p7m")))
    assert mail.text == "The invoice."
    assert [(document.name, document.type) for document in mail.documents] == [
        ("invoice.xml.p7m", "application/pkcs7-mime"),
        ("invoice.xml", "application/xml"),
    ]


def test_a_signed_mail_in_a_winmail_dat_is_opened_too() -> None:
    clear = b"Content-Type: multipart/signed; boundary=s\r\n\r\n--s\r\n\r\nWhat was signed.\r\n--s--\r\n"
    for media, content in (
        ("application/x-pkcs7-mime", envelopes.signed(envelopes.whole(ENTITY))),
        ("multipart/signed", clear),
    ):
        attached = winmail.attached("SMIME.p7m", content, winmail.text8(winmail.P_TYPE, media))
        mail = mime.read(HEAD + winmail_dat(winmail.stream(attached)))
        assert mail.text == "What was signed."
        assert codes(mail) == ["tnef", "signed"]


def wrapped(depth: int) -> bytes:
    entity = ENTITY
    for _ in range(depth):
        entity = p7m(entity)
    return HEAD + entity


def test_envelopes_within_envelopes_are_opened_as_deep_as_the_bound() -> None:
    assert mime.read(wrapped(opening.MAX_DEPTH)).text == "What was signed."
    mail = mime.read(wrapped(opening.MAX_DEPTH + 1))
    assert mail.text == ""
    assert len(mail.documents) == opening.MAX_DEPTH + 1


@pytest.mark.parametrize(
    "raw",
    [
        mixed(*[p7m(mixed(*[part(b"image/png", b"x")] * 300).removeprefix(HEAD))] * 10),
        mixed(*[winmail_dat(winmail.stream(winmail.attached("a", b"x") * 400))] * 10),
    ],
)
def test_more_inside_than_parts_may_be_in_a_mail_is_not_taken_apart(raw: bytes) -> None:
    mail = mime.read(raw)
    assert (codes(mail)[-1], mail.subject, mail.documents) == ("unreadable", "s", ())
    assert str(tree.MAX_PARTS) in mail.notes[-1].text


def test_files_in_a_text_are_taken_out_of_both_of_its_forms() -> None:
    html = b"Content-Type: text/html\r\n\r\n<p>hello"
    mail = mime.read(mixed(b"\r\nabove\r\n" + UU + b"below", html))
    assert mail.text == "above\nbelow\n\nhello"
    assert "begin" not in mail.html
    assert names(mail) == ["a.txt"]


def test_a_mail_without_parts_that_holds_a_file_shows_what_is_around_it() -> None:
    raw = HEAD + b"Content-Type: text/plain; charset=iso-8859-1\r\n\r\nGr\xfc\xdfe\r\n" + UU
    mail = mime.read(raw)
    assert mail.text == "Grüße\n"
    assert mime.document(raw, 1) == b"abc"


def test_of_a_mail_no_more_files_are_taken_out_of_texts_than_the_bound() -> None:
    mail = mime.read(mixed(*[b"\r\n" + UU * 30] * 20))
    assert len(mail.documents) == uuencoded.MAX_FILES
    assert mail.text.count("begin 644 a.txt") == 600 - uuencoded.MAX_FILES


@pytest.mark.parametrize(
    "raw",
    [
        mixed(plain(b""), winmail_dat(), p7m(ENTITY), b"\r\n" + UU, winmail_dat()),
        wrapped(3),
        HEAD + p7m(mixed(winmail_dat(), b"\r\n" + UU).removeprefix(HEAD)),
    ],
)
def test_every_document_is_the_one_that_was_listed(raw: bytes) -> None:
    documents = mime.read(raw).documents
    assert documents
    for document in documents:
        assert sha256(mime.document(raw, document.n) or b"-").hexdigest() == document.sha256


BIG = bytes(range(256)) * 40_000
BOMB = winmail.stream(winmail.message(winmail.binary(winmail.P_RTF, compressed_rtf.compress(b"{\\f1" * 40_000))))
SIGNED_TNEF = b"Content-Type: application/ms-tnef\r\n\r\n" + winmail.stream(winmail.attached("a.bin", BIG))


@pytest.mark.parametrize(
    "raw",
    [
        HEAD + winmail_dat(winmail.stream(winmail.attached("a.bin", BIG))),
        HEAD + winmail_dat(winmail.stream(*[winmail.attached("a.bin", BIG[:20_000])] * 400)),
        HEAD + p7m(part(b"application/pdf", BIG)),
        HEAD + p7m(SIGNED_TNEF),
        HEAD
        + winmail_dat(winmail.stream(winmail.attached("smime.p7m", envelopes.signed(envelopes.whole(SIGNED_TNEF))))),
        HEAD + b"\r\nbegin 644 a.bin\r\n" + b"M" + b"A" * 60 + (b"\r\nM" + b"A" * 60) * 200_000 + b"\r\nend\r\n",
    ],
)
def test_a_big_mail_is_opened_within_six_times_its_size(raw: bytes) -> None:
    tracemalloc.start()
    documents = mime.read(raw).documents
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert documents
    assert peak < 5 * len(raw)  # the mail itself is one more


@pytest.mark.parametrize(
    "raw",
    [
        mixed(*[winmail_dat(BOMB)] * 50),
        mixed(*[p7m(ENTITY)] * 900),
        mixed(*[p7m(part(b"text/plain", UU * 9))] * 300),
        mixed(*[b"\r\n" + UU * 100] * 1000),
        mixed(*[part(b"application/octet-stream", winmail.SIGNATURE + bytes(2000))] * 1900),
    ],
)
def test_a_mail_of_many_envelopes_is_opened_in_time(raw: bytes) -> None:
    started = time.monotonic()
    mime.read(raw)
    assert time.monotonic() - started < 30  # some take a second
