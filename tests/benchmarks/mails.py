"""Mails as people send them, each unique: several Received lines, a signature, text and HTML with umlauts, a PDF.

``Mails(size)`` prepares what all have in common: of a large one all but the first 50 kB or so are the same bytes in
memory, so that a hundred mails of 25 MB take the room of one. CRLF line ends; no line begins with a dot.
"""

import base64
import os
import random
from dataclasses import dataclass, field

AUTHOR = "anna@muster.example"
WORDS = (
    *("Angebot", "Rücksprache", "Zürich", "Termin", "wie", "besprochen", "Grüße", "Lieferung", "Kampagne", "Herbst"),
    *("Anhang", "Stückzahl", "Preis", "können", "Rechnung", "für", "und", "die", "der", "das", "wir", "Ihnen"),
    *("morgen", "Besprechung", "Änderung", "Entwurf", "Frist", "Kunde", "Müller"),
)
PARAGRAPH = '<p style="margin:0 0 12px 0;font-family:Arial,sans-serif">{}</p>\r\n'
HOME = "https://muster.example/"
PAGE = (
    "<html><head><style>p{{color:#222}}</style></head><body>\r\n{}"
    f'<p><a href="{HOME}">Muster AG</a> <img src="{HOME}l.png" alt="Logo"></p></body></html>'
)
_KB = 1000
_LINE = 57  # octets that a line of base64 holds


@dataclass(frozen=True)
class Mails:
    """Mails of about ``size`` octets; over 20 kB the most of it is a PDF."""

    size: int
    _rest: list[bytes] = field(default_factory=list)  # of the PDF, behind its first line

    def one(self, number: int) -> bytes:
        """Write mail ``number`` of this run."""
        return b"".join(self.pieces(number))

    def pieces(self, number: int) -> tuple[bytes, ...]:
        """Write the same in pieces, of which the large one is shared by all mails."""
        chance = random.Random(number)
        words = "\r\n".join(" ".join(chance.choices(WORDS, k=9)) for _ in range(8))
        text = f"Sehr geehrte Frau Müller,\r\n\r\n{words}\r\n\r\n-- \r\nAnna Muster, Muster AG\r\n{HOME}\r\n"
        html = "".join(PARAGRAPH.format(" ".join(chance.choices(WORDS, k=36))) for _ in range(8))
        inner = self._alternative(number, text, PAGE.format(html))
        if self.size < 20 * _KB:
            return (self._header(number) + inner,)
        return self._mixed(number, self._header(number), inner)

    def _header(self, number: int) -> bytes:
        signature = base64.b64encode(number.to_bytes(8, "big") * 32).decode()
        return (
            "Received: from mta.muster.example (mta.muster.example [192.0.2.9])\r\n"
            f"\tby relay.muster.example (Postfix) with ESMTPS id 4bR{number:08d}\r\n"
            "\tfor <kunde@kunde.example>; Sun, 22 Nov 2026 10:00:01 +0100 (CET)\r\n"
            f"Received: from pc{number}.muster.example (pc.muster.example [192.0.2.7])\r\n"
            f"\tby mta.muster.example (Postfix) with ESMTPSA id 4bK{number:08d};\r\n"
            "\tSun, 22 Nov 2026 10:00:00 +0100\r\n"
            "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=muster.example; s=s1;\r\n"
            "\th=from:to:subject:date:message-id; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=;\r\n"
            f"\tb={signature}\r\n"
            f"From: Anna Muster <{AUTHOR}>\r\nTo: =?utf-8?q?J=C3=BCrg_M=C3=BCller?= <kunde@kunde.example>\r\n"
            f"Cc: Paul Beispiel <paul@kunde.example>\r\nSubject: =?utf-8?q?Angebot_f=C3=BCr_Herbst_{number}?=\r\n"
            f"Date: Sun, 22 Nov 2026 10:00:00 +0100\r\nMessage-ID: <{number}.{os.getpid()}@muster.example>\r\n"
            "MIME-Version: 1.0\r\nUser-Agent: Beispiel 1.0\r\n"
        ).encode()

    @staticmethod
    def _alternative(number: int, text: str, html: str) -> bytes:
        kind = "charset=utf-8\r\nContent-Transfer-Encoding: 8bit"
        return (
            f'Content-Type: multipart/alternative; boundary="=_a{number}"\r\n\r\n'
            f"--=_a{number}\r\nContent-Type: text/plain; {kind}\r\n\r\n{text}"
            f"\r\n--=_a{number}\r\nContent-Type: text/html; {kind}\r\n\r\n{html}"
            f"\r\n--=_a{number}--\r\n"
        ).encode()

    def _mixed(self, number: int, header: bytes, inner: bytes) -> tuple[bytes, ...]:
        begin = f'Content-Type: multipart/mixed; boundary="=_m{number}"\r\n\r\n--=_m{number}\r\n'
        head = (
            f"\r\n--=_m{number}\r\nContent-Type: application/pdf; name=Angebot.pdf\r\n"
            "Content-Disposition: attachment; filename=Angebot.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        )
        octets = (self.size - 5500) * _LINE // 78
        if not self._rest:
            self._rest.append(_lines(random.Random(self.size).randbytes(octets)))
        first = b"%PDF-1.7\n" + number.to_bytes(8, "big") + random.Random(number).randbytes(_LINE - 17)
        whole = header + begin.encode() + inner + head.encode() + _lines(first)
        return whole, self._rest[0], f"--=_m{number}--\r\n".encode()


def _lines(octets: bytes) -> bytes:
    return base64.encodebytes(octets).replace(b"\n", b"\r\n")
