"""Mails to a record with other mails attached, for tests of what becomes of them."""

import base64
from collections.abc import Sequence

from tests.worlds import ANNA

BOUNDARY = "boundary-of-the-cover"


def original(number: int = 1, *, author: str = "one@kunde.example", to: str = ANNA.email, body: str = "Ja.") -> bytes:
    """A client's mail, without a line end after its last line, as attached mails are."""
    return (
        f"Received: from pc by mx.kunde.example with ESMTP id CLIENT{number}; Mon, 02 Nov 2026 09:00:01 +0000\r\n"
        f"From: One <{author}>\r\nTo: {to}\r\nSubject: Antwort {number}\r\n"
        f"Date: Mon, 02 Nov 2026 09:{number % 60:02}:00 +0000\r\nMessage-ID: <o{number}@kunde.example>\r\n\r\n{body}"
    ).encode()


def attached(mail: bytes, media: str = "message/rfc822") -> bytes:
    return f"Content-Type: {media}\r\nContent-Disposition: attachment\r\n\r\n".encode() + mail


def in_base64(mail: bytes) -> bytes:
    head = b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    return head + base64.encodebytes(mail).replace(b"\n", b"\r\n")


def file(media: str = "application/pdf", name: str = "offerte.pdf") -> bytes:
    disposition = f'Content-Disposition: attachment; filename="{name}"'
    return f"Content-Type: {media}\r\n{disposition}\r\n\r\n%PDF-1.4".encode()


def cover(
    *parts: bytes,
    fields: str,
    text: str = "",
    number: int = 1,
    author: str = f"Anna <{ANNA.email}>",
    media: str = "text/plain; charset=utf-8",
) -> str:
    """A user's mail that carries these parts behind its text; ``fields`` are To, Cc and the like.

    One letter per byte, as the desk sends mails.
    """
    first = f"Content-Type: {media}\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{text}".encode()
    mail = _header(fields, number, author) + b"".join(_within(each) for each in (first, *parts))
    return (mail + f"--{BOUNDARY}--\r\n".encode()).decode("latin-1")


def _header(fields: str, number: int, author: str) -> bytes:
    lines: Sequence[str] = (
        f"Received: from pc by mta (Postfix) with ESMTPSA id 4bK{number}; Sun, 22 Nov 2026 12:00:00 +0000",
        f"From: {author}",
        *fields.splitlines(),
        f"Subject: WG: Antwort {number}",
        "Date: Sun, 22 Nov 2026 11:00:00 +0000",
        f"Message-ID: <f{number}@firma.example>",
        f'Content-Type: multipart/mixed; boundary="{BOUNDARY}"',
        "",
        "",
    )
    return "\r\n".join(lines).encode()


def _within(part: bytes) -> bytes:
    return f"--{BOUNDARY}\r\n".encode() + part + b"\r\n"
