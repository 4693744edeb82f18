import base64

import pytest

from mailgate import mime
from tests.unit.mime import envelopes

HEAD = b"From: a@a.example\r\nSubject: s\r\n"
ARMOUR = (
    b"-----BEGIN PGP MESSAGE-----\r\nVersion: 1\r\n\r\nhQEMA0000000000000AQf\r\n=AAAA\r\n-----END PGP MESSAGE-----\r\n"
)
CLEAR = (
    b"-----BEGIN PGP SIGNED MESSAGE-----\r\nHash: SHA256\r\n\r\nHello\r\n-----BEGIN PGP SIGNATURE-----\r\n\r\niQ\r\n"
)
ENTITY = b"Content-Type: text/plain\r\n\r\nThe crane comes.\r\n"


def text(body: bytes) -> bytes:
    return HEAD + b"\r\n" + body


def envelope(octets: bytes, name: bytes = b"smime.p7m") -> bytes:
    return (
        HEAD
        + b"Content-Type: application/pkcs7-mime; name="
        + name
        + b"\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + base64.encodebytes(octets)
    )


def multipart(kind: bytes, *parts: bytes) -> bytes:
    return (
        HEAD
        + b"Content-Type: multipart/"
        + kind
        + b"; boundary=b\r\n\r\n"
        + b"".join(b"--b\r\n" + part + b"\r\n" for part in parts)
        + b"--b--\r\n"
    )


def in_html(body: bytes) -> bytes:
    return HEAD + b"Content-Type: text/html\r\n\r\n" + body


def named(name: bytes) -> bytes:
    disposition = b"Content-Disposition: attachment; filename=" + name
    return b"Content-Type: application/octet-stream\r\n" + disposition + b"\r\n\r\n"


SIGNED = envelopes.signed(envelopes.whole(ENTITY))
SEALED = envelopes.other(envelopes.ENVELOPED)
PLAIN = b"\r\nhello"


@pytest.mark.parametrize(
    ("raw", "codes"),
    [
        (multipart(b"signed", PLAIN, b"Content-Type: application/pgp-signature\r\n\r\nx"), {"signed"}),
        (multipart(b"signed", PLAIN, b"Content-Type: application/pkcs7-signature\r\n\r\nx"), {"signed"}),
        (multipart(b"mixed", PLAIN, b"Content-Type: application/pkcs7-signature\r\n\r\nx"), {"signed"}),
        (envelope(SIGNED), {"signed"}),
        (envelope(envelopes.signed_open(envelopes.in_pieces(ENTITY))), {"signed"}),
        (envelope(envelopes.signed(envelopes.whole(b"bare words\r\n"))), {"signed"}),
        (text(CLEAR), {"signed"}),
        (in_html(b"<pre>" + ARMOUR + b"</pre>"), {"encrypted"}),
        (in_html(b"<p>" + ARMOUR.replace(b"\r\n", b"<br>\r\n")), {"encrypted"}),
        (in_html(b"<p>Begin with -----BEGIN PGP MESSAGE----- and so on"), set()),
        (multipart(b"mixed", PLAIN, named(b"offer.pdf.pgp") + ARMOUR), {"encrypted"}),
        (multipart(b"mixed", PLAIN, named(b"how-to.txt") + ARMOUR), set()),
        (text(b"Hi,\n" + CLEAR.replace(b"\r\n", b"\n")), {"signed"}),
        (envelope(SEALED), {"encrypted"}),
        (envelope(envelopes.other(envelopes.AUTH_ENVELOPED)), {"encrypted"}),
        (text(ARMOUR), {"encrypted"}),
        (text(b"Hi,\n" + ARMOUR.replace(b"\r\n", b"\n")), {"encrypted"}),
        (text(ARMOUR.replace(b"Version: 1\r\n", b"")), {"encrypted"}),
        (
            multipart(b"encrypted", b"Content-Type: application/pgp-encrypted\r\n\r\nVersion: 1", PLAIN),
            {"encrypted"},
        ),
        (multipart(b"mixed", b"Content-Type: application/pgp-encrypted\r\n\r\nVersion: 1", PLAIN), {"encrypted"}),
        (envelope(envelopes.signed(envelopes.whole(envelope(SEALED)))), {"signed", "encrypted"}),
        (text(PLAIN), set()),
        (text(b"it begins with -----BEGIN PGP MESSAGE-----\r\n\r\nhQEMA0000000000000AQf"), set()),
        (text(b"-----BEGIN PGP MESSAGE-----\r\nis how it begins, signed and encrypted"), set()),
        (text(b"> " + ARMOUR), set()),
        (text(b"-----BEGIN PGP SIGNED MESSAGE-----\r\n\r\nwithout a signature"), set()),
        (text(b"-----BEGIN PGP SIGNATURE-----\r\n\r\niQ"), set()),
        (multipart(b"mixed", PLAIN, b"Content-Type: application/pgp-keys; name=a.asc\r\n\r\nx"), set()),
        (multipart(b"mixed", PLAIN, b"Content-Type: application/pgp-signature; name=a.zip.sig\r\n\r\nx"), set()),
        (multipart(b"mixed", PLAIN, b"Content-Type: message/rfc822\r\n\r\n" + envelope(SEALED)), set()),
        (envelope(envelopes.signed(None)), set()),
        (envelope(envelopes.other(envelopes.COMPRESSED)), set()),
        (envelope(envelopes.signed(envelopes.whole(b"<invoice/>")), b"invoice.xml.p7m"), set()),
    ],
)
def test_a_mail_is_signed_or_encrypted_by_what_it_holds_and_not_by_its_words(raw: bytes, codes: set[str]) -> None:
    assert {note.code for note in mime.read(raw).notes} & {"signed", "encrypted"} == codes


def test_the_note_says_that_nothing_was_checked() -> None:
    (note,) = mime.read(text(CLEAR)).notes
    assert note.text == "The mail carries a signature, which was not checked."


@pytest.mark.parametrize("body", [CLEAR, ARMOUR])
def test_what_stands_inline_stays_as_it_is(body: bytes) -> None:
    assert mime.read(text(body)).text.strip() == body.decode().replace("\r\n", "\n").strip()
