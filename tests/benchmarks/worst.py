"""Mails of a given size that are made to cost much time or memory, one function per kind.

``MAILS`` has them by name. Sizes are met to a percent or so; those that are large by another measure (a header, parts,
depth) stay at what is allowed, or just above it. The same size gives the same bytes.
"""

import base64
import binascii
import random
from collections.abc import Callable

HEAD = (
    b"From: Anna Muster <anna@muster.example>\r\nTo: Kunde <kunde@kunde.example>\r\nSubject: Bericht\r\n"
    b"Date: Mon, 16 Nov 2026 09:30:00 +0100\r\nMessage-ID: <1@muster.example>\r\nMIME-Version: 1.0\r\n"
)
HEADER = 4 * 1024 * 1024 - 1024  # just below ``smtp.max_header_size``
LINE = b"x" * 70 + b"\r\n"
PLAIN = b"Content-Type: text/plain; charset=utf-8\r\n"
HTML = b"Content-Type: text/html; charset=utf-8\r\n"
CALENDAR = b"Content-Type: text/calendar; method=REQUEST\r\n\r\nBEGIN:VCALENDAR\r\n"
EVENT = b"BEGIN:VEVENT\r\nSUMMARY:Termin\r\nDTSTART:20261122T100000Z\r\nEND:VEVENT\r\n"
BASE64 = b"Content-Transfer-Encoding: base64\r\n\r\n"
QUOTED = b"Content-Transfer-Encoding: quoted-printable\r\n\r\n"
RECEIVED = b"Received: from a (b [192.0.2.1])\r\n by c; Mon, 16 Nov 2026 09:30:00 +0100\r\n"

Maker = Callable[[int], bytes]


def fill(unit: bytes, size: int) -> bytes:
    """Repeat something up to a size."""
    return unit * max(1, size // len(unit))


def text(unit: str, charset: str = "utf-8", declared: str | None = None) -> Maker:
    """Make mails of one plain body."""
    label = f"; charset={declared or charset}" if declared != "" else ""
    return lambda size: HEAD + f"Content-Type: text/plain{label}\r\n\r\n".encode() + fill(unit.encode(charset), size)


def html(unit: str) -> Maker:
    """Make mails of one HTML body."""
    return lambda size: HEAD + HTML + b"\r\n" + fill(unit.encode(), size)


def mixed(part: bytes, count: int = 1) -> bytes:
    """Write a multipart/mixed of equal parts."""
    whole = (b"--b\r\n" + part + b"\r\n") * count
    return HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + whole + b"--b--\r\n"


def lines64(octets: bytes) -> bytes:
    """Write base64 as mail programs do."""
    return base64.encodebytes(octets).replace(b"\n", b"\r\n")


def noise(size: int) -> bytes:
    """Make octets that take ``size`` in base64."""
    return random.Random(5).randbytes(size * 54 // 78)


def file64(kind: bytes, begin: bytes = b"", unit: bytes | None = None) -> Maker:
    """Make mails of one file in base64."""

    def made(size: int) -> bytes:
        octets = begin + (noise(size) if unit is None else fill(unit, size * 54 // 78))
        return mixed(b"Content-Type: " + kind + b"\r\n" + BASE64 + lines64(octets))

    return made


def nested(depth: int) -> bytes:
    """Open that many multiparts in each other."""
    return b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(depth))


def header(row: bytes) -> Maker:
    """Make mails of the largest header, of equal rows."""
    return lambda size: HEAD + fill(row, min(size, HEADER)) + b"\r\nbody\r\n"


def numbered(row: bytes, between: bytes = b"") -> Maker:
    """Make plain bodies of numbered rows."""
    return lambda size: HEAD + b"\r\n" + between.join(row % n for n in range(size // (len(row) + 4)))


def uuencoded(_size: int = 0) -> bytes:
    """Write a line of uuencode."""
    return binascii.b2a_uu(b"M" * 45).replace(b"\n", b"\r\n")


MAILS: dict[str, Maker] = {
    "an attachment in base64": file64(b"application/pdf; name=a.pdf"),
    "1,900 attachments in base64": lambda size: mixed(
        b"Content-Type: application/pdf; name=a.pdf\r\n" + BASE64 + lines64(noise(size // 1900)), 1900
    ),
    "plain text": text("Hello there, as we said, the figures for autumn.\r\n"),
    "plain text with umlauts": text("Grüsse aus Zürich, wie besprochen die Zahlen.\r\n"),
    "plain text with one emoji": lambda size: HEAD + PLAIN + b"\r\n" + "😀".encode() + fill(LINE, size),
    "plain text in latin-1": text("Grüsse aus Zürich, wie besprochen die Zahlen.\r\n", "latin-1", "iso-8859-1"),
    "plain text in Japanese": text("いつもお世話になっております。\r\n", "iso2022_jp", "iso-2022-jp"),
    "plain text, charset unsaid": text("Grüsse aus Zürich, wie besprochen.\r\n", "latin-1", ""),
    "plain text, charset wrong": text("Здравствуйте, как договорились.\r\n", "koi8-r", "utf-8"),
    "plain text of all octets": lambda size: HEAD + b"\r\n" + fill(bytes(range(128, 256)) + b"\r\n", size),
    "plain text in quoted-printable": lambda size: (
        HEAD + PLAIN + QUOTED + fill(b"Gr=C3=BCsse aus Z=C3=BCrich =\r\n", size)
    ),
    "plain text in UTF-16": file64(b"text/plain; charset=utf-16", unit="Grüsse aus Zürich\r\n".encode("utf-16-le")),
    "one line": text("x"),
    "one line of spaces": text(" "),
    "empty lines": text("\r\n"),
    "bare CR": text("\r"),
    "format=flowed": lambda size: (
        HEAD + PLAIN[:-2] + b"; format=flowed; delsp=yes\r\n\r\n" + fill(b"> on and on \r\n", size)
    ),
    "quotes and signatures": text("On Monday, Anna wrote:\r\n> quoted\r\n-- \r\nAnna\r\n"),
    "quotes in quotes": text(">" * 60 + " x\r\n"),
    "forwards": text("-----Original Message-----\r\nFrom: a@a.example\r\nSent: x\r\nTo: b\r\nSubject: c\r\n\r\n"),
    "links": numbered(b"see http://h%d.example/\r\n"),
    "one link again and again": text("http://h.example/x "),
    "HTML": html("<p>Grüsse &amp; Küsse</p>\r\n"),
    "HTML of 10 MiB": lambda size: html("<p>" + "word " * 20 + "</p>\r\n")(min(size, 10 * 1024 * 1024 - 100)),
    "HTML of long words": html("word " * 2000 + "<br>"),
    "HTML of 1,900 parts": lambda size: mixed(HTML + b"\r\n" + fill(b"<p>word word</p>\r\n", size // 1900), 1900),
    "HTML of links": html("<a href='http://h.example/x'>http://other.example/</a> "),
    "HTML of tables": html("<table><tr><td>x</td><td>y</td></tr></table>\r\n"),
    "HTML of an embedded picture": lambda size: HEAD + HTML + b"\r\n<img src='data:x," + fill(b"A", size) + b"'>",
    "HTML of ampersands": html("&amp;"),
    "HTML beside plain text of ampersands": lambda size: (
        HEAD
        + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
        + HTML
        + b"\r\n<p>x\r\n--b\r\n"
        + PLAIN
        + b"\r\n"
        + fill(b"&", size)
        + b"\r\n--b--\r\n"
    ),
    "uuencode in the text": lambda size: HEAD + b"\r\nbegin 644 a.bin\r\n" + fill(uuencoded(), size) + b"`\r\nend\r\n",
    "many uuencoded files": text("begin 644 a.bin\r\n#86%A\r\n`\r\nend\r\n"),
    "uuencode that never ends": text("begin 644 a.bin\r\n"),
    "uuencode as encoding": lambda size: mixed(
        b"Content-Type: x/y\r\nContent-Transfer-Encoding: uue\r\n\r\nbegin 644 a\r\n" + fill(uuencoded(), size) + b"end"
    ),
    "yEnc": text("=ybegin line=128 size=123456 name=a.bin\r\n" + "é" * 60 + "\r\n"),
    "winmail.dat": file64(b"application/ms-tnef; name=winmail.dat", b"\x78\x9f\x3e\x22\x01\x00"),
    "winmail.dat of one attachment": file64(
        b"application/ms-tnef; name=winmail.dat",
        b"\x78\x9f\x3e\x22\x01\x00\x02\x02\x90\x06\x00\x0e\x00\x00\x00" + b"\x01" * 14 + b"\x50\x00"
        b"\x02\x0f\x80\x06\x00" + (30 * 1024 * 1024).to_bytes(4, "little"),
    ),
    "winmail.dat of tiny pieces": file64(
        b"application/ms-tnef; name=winmail.dat",
        b"\x78\x9f\x3e\x22\x01\x00",
        unit=b"\x02\x02\x90\x06\x00\x00\x00\x00\x00\x00\x00",
    ),
    "a signed envelope": file64(
        b"application/pkcs7-mime; smime-type=signed-data; name=smime.p7m",
        bytes.fromhex(
            "308006092a864886f70d010702a0803080020101310030800609 2a864886f70d010701a080 2480".replace(" ", "")
        ),
        unit=b"\x04\x82\x03\xe8" + b"x" * 1000,
    ),
    "a signed envelope of octets": file64(b"application/pkcs7-mime; name=smime.p7m", b"\x30\x80\x06\x09"),
    "a calendar of events": lambda size: mixed(CALENDAR + fill(EVENT, size) + b"END:VCALENDAR\r\n"),
    "a calendar of one folded line": lambda size: mixed(
        CALENDAR + b"BEGIN:VEVENT\r\nSUMMARY:x\r\n" + fill(b" y\r\n", size)
    ),
    "an attached mail": lambda size: mixed(b"Content-Type: message/rfc822\r\n\r\n" + HEAD + b"\r\n" + fill(LINE, size)),
    "mails 1,000 deep": lambda size: HEAD + b"Content-Type: message/rfc822\r\n\r\n" * 1000 + fill(LINE, size),
    "multiparts 10,000 deep": lambda size: HEAD + nested(10_000) + b"\r\n" + fill(LINE, size),
    "multiparts 99 deep": lambda size: HEAD + nested(98) + b"\r\n" + fill(b"--b98\r\n", size),
    "100,000 parts": lambda _size: mixed(b"\r\nx", 100_000),
    "as many parts as fit": lambda size: mixed(b"", size // 7),
    "1,900 parts with bad parameters": lambda _size: mixed(
        b"Content-Disposition: x; " + b'y;"' * 9000 + b"\r\n\r\nx", 1900
    ),
    "look-alikes of boundaries": lambda size: mixed(b"\r\n" + fill(b"--bb\r\n--B\r\n--\r\n --b\r\n--b x\r\n", size)),
    "a preamble": lambda size: mixed(b"\r\nx").replace(b"\r\n\r\n", b"\r\n\r\n" + fill(LINE, size), 1),
    "an epilogue": lambda size: mixed(b"\r\nx") + fill(LINE, size),
    "20,000 To": lambda size: (
        HEAD + b"Cc: " + b",\r\n ".join(b"u%d@d.example" % n for n in range(20_000)) + b"\r\n\r\n" + fill(LINE, size)
    ),
    "2,000 Received": lambda size: RECEIVED * 2000 + HEAD + b"\r\n" + fill(LINE, size),
    "5,000 encoded words": lambda size: (
        HEAD + b"Subject: " + b" ".join(b"=?utf-8?q?a%d?=" % n for n in range(5000)) + b"\r\n\r\n" + fill(LINE, size)
    ),
    "a header of 4 MiB of fields": header(b"X-Y: z\r\n"),
    "a header of 4 MiB of addresses": header(b"To: a@b.example\r\n"),
    "a header of 4 MiB of types": header(b"Content-Type: a/b\r\n"),
    "a header of 4 MiB of folds": header(b" y\r\n"),
    "a header of 4 MiB of no fields": header(b"y\r\n"),
    "a header of 4 MiB in one line": header(b"<a@b.example>,"),
    "a header line of the whole size": lambda size: HEAD + b"X: " + b"x" * size + b"\r\n\r\nbody",
}
