"""Mails made to cost much. The bounds are ten times and more what a slow machine takes."""

import base64
import time
import tracemalloc

import pytest

from mailgate import mime
from mailgate.mime import guessing, parties, words
from tests.unit.mime.soundness import faults

SECONDS = 20.0
HEAD = b"From: a@a.example\r\nSubject: s\r\n"
MEGA = 1_000_000
NAMED = b'Content-Disposition: attachment; filename="'
RECEIVED = b"Received: from a (b [192.0.2.1])\r\n by c; Mon, 16 Nov 2026 09:30:00 +0100\r\n"
UUENCODED = b"Content-Transfer-Encoding: uue\r\nContent-Type: x/y\r\n\r\nbegin 644 x\r\n"


def html(source: bytes) -> bytes:
    return HEAD + b"Content-Type: text/html; charset=utf-8\r\n\r\n" + source


def spaced(row: bytes, count: int, space: bytes = b" ") -> bytes:
    return space.join(row % n for n in range(count))


def parts(row: bytes, count: int) -> bytes:
    return HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + (b"--b\r\n" + row + b"\r\n") * count


def nested(depth: int, body: bytes = b"x") -> bytes:
    opened = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(depth))
    return HEAD + opened + b"\r\n" + body


CASES = {
    "From of 20,000 quotes": b"From: " + b'"' * 20_000 + b"\r\n\r\nx",
    "From of a million brackets": b"From: " + b"(" * MEGA + b"\r\n\r\nx",
    "From of a million pairs of brackets": b"From: " + b"()" * (MEGA // 2) + b"\r\n\r\nx",
    "900 nested comments": b"From: " + b"(" * 900 + b")" * 900 + b" a@a.example\r\n\r\nx",
    "8,000 dots in a phrase": b"From: " + b". " * 8000 + b"<a@a.example>\r\n\r\nx",
    "To of a million angles": b"To: " + b"<" * MEGA + b"\r\n\r\nx",
    "To of a million times the same": b"To: " + b"<a>," * MEGA + b"\r\n\r\nx",
    "To of four million commas": b"To: " + b"," * (4 * MEGA) + b"\r\n\r\nx",
    "To of escaped quotes": b"To: " + b'"\\' * (MEGA // 2) + b"\r\n\r\nx",
    "20,000 To": b"To: " + spaced(b"u%d@d.example,", 20_000) + b"\r\n\r\nx",
    "5,000 invalid encoded words": b"Subject: " + spaced(b"=?no%d?q?=ff?=", 5000) + b"\r\n\r\nx",
    "encoded words that never end": b"Subject: " + b"=?utf-8?q?" * 100_000 + b"\r\n\r\nx",
    "5,000 parameters": HEAD + b"Content-Type: x/y; " + spaced(b"name*%d*=x;", 5000) + b"\r\n\r\nx",
    "a parameter of quotes": HEAD + b"Content-Type: text/plain; " + b'x=";' * 250_000 + b"\r\n\r\nx",
    "a part's parameter of quotes": parts(NAMED + b';"' * 500_000 + b"\r\n\r\nx", 1),
    "many parts with bad parameters": parts(NAMED + b';"' * 90 + b"\r\n\r\nx", 1900),
    "2,000 Received": RECEIVED * 2000 + HEAD + b"\r\nx",
    "a header line of 1 MB": b"Subject: " + b"x" * MEGA + b"\r\n\r\nx",
    "a header of 300,000 names": spaced(b"X%d: y\r\n", 300_000, b"") + b"\r\nx",
    "a field of 300,000 lines": b"Subject: x\r\n" + b" y\r\n" * 300_000 + b"\r\nx",
    "a date of brackets": b"Date: " + b"(" * MEGA + b"\r\n\r\nx",
    "multiparts 10,000 deep": nested(10_000),
    "multiparts 99 deep with many lines": nested(99, b"x\r\n" * 100_000),
    "mails 1,000 deep": HEAD + b"Content-Type: message/rfc822\r\n\r\n" * 1000 + b"x",
    "100,000 empty parts": parts(b"", 100_000),
    "1,900 parts of one name": parts(b"Content-Type: image/png; name=a.png\r\n\r\nx", 1900),
    "a preamble of 1 MB": parts(b"\r\nx", 1).replace(b"\r\n\r\n--b", b"\r\n\r\n" + b"p\r\n" * 330_000 + b"--b"),
    "a boundary of 60 kB": parts(b"", 9).replace(b"b", b"b" * 60_000),
    "3 million lines": HEAD + b"\r\n" + b"\r\n" * 3_000_000,
    "HTML 200,000 deep": html(b"<div>" * 200_000),
    "HTML of svg": html(b"<svg>" * 200_000),
    "HTML of scripts": html(b"<script>" * 200_000),
    "HTML of open comments": html(b"<!--" * 200_000),
    "HTML of open tags": html(b'<a b="' * 200_000),
    "HTML of angles": html(b"<" * MEGA),
    "HTML of ampersands": html(b"&" * 195_000),
    "HTML of fonts and paragraphs": html(spaced(b"<font size=%d>", 5000) + b"<p>x" * 5000),
    "HTML of fonts in paragraphs": html((spaced(b"<p><font color=c%d>", 30) + b"x") * 2000),
    "HTML of tables in tables": html(b"<table><tr><td>" * 50_000),
    "HTML of 200,000 attributes": html(b"<a " + spaced(b"a%d=1", 200_000) + b">"),
    "HTML in 100 parts": parts(b"Content-Type: text/html\r\n\r\n" + b"<p>x" * 20_000, 100),
    "a style of 1 MB": html(b'<p style="' + b"color:red;" * 100_000 + b'">x'),
    "HTML of a million spaces kept as they are": html(b"<pre>" + b" " * MEGA + b"x</pre>"),
    "HTML of spaces in an alt": html(b'<img alt="x' + b" " * MEGA + b'y">'),
    "HTML of end tags that never end": html(b"<svg>" + b"</svg " * 200_000),
    "HTML of a number of a million digits": html(b"a &#" + b"9" * MEGA + b"; b"),
    "HTML of no-break spaces": html("\u00a0".encode() * MEGA),
    "HTML of no-break spaces in a title": html(b'<p title="' + "\u00a0".encode() * MEGA + b'">x'),
    "HTML of letters without width": html(b"\xe2\x80\x8c" + b" " * 1000 + b"\xe2\x80\x8c\xc2\xa0" * MEGA),
    "HTML of broken character references": html(b"&#" * 95_000),
    "HTML of rules that open": html(b"<style>" + b"{" * MEGA),
    "HTML of comments in rules": html(b"<style>" + b"/* " * MEGA),
    "HTML of addresses that never end": html(b"<style>" + b"url(" + b" " * MEGA + b"@import " * 100_000),
    "HTML of quotes of lines": html(b"<blockquote>" * 100 + b"x<br>" * 195_000),
    "HTML of a table of 65,000 rows": html(b"<table>" + b"<tr><td>a<td>b" * 65_000),
    "HTML of a row of 195,000 cells": html(b"<table><tr>" + b"<td>x" * 195_000),
    "HTML of links": html(b'<a href="https://a.example/">https://b.example</a>' * 95_000),
    "HTML of hidden elements": html(b"<p hidden>x" * 95_000),
    "HTML of comments over the bound": html(b"<!--" * 500_000 + b"<style>" * 500_000),
    "addresses broken into lines": HEAD + b"\r\n" + b"<https://a\r\n" * 100_000,
    "an address of brackets": HEAD + b"\r\nhttps://" + b"](x" * 300_000,
    "links and brackets": HEAD + b"\r\nhttp://x.example/" + b")" * MEGA,
    "50,000 links": HEAD + b"\r\n" + spaced(b"http://h%d.example/", 50_000),
    "uuencode of long lines": HEAD + UUENCODED + b"M" * MEGA,
    "punycode": HEAD + b"Content-Type: text/plain; charset=punycode\r\n\r\n" + b"a-" * (MEGA // 2) + b"\xff",
    "UTF-7": HEAD + b"Content-Type: text/plain; charset=utf-7\r\n\r\n" + b"+" * MEGA,
}


@pytest.mark.parametrize("case", CASES)
def test_a_mail_made_to_cost_much_is_read_in_seconds(case: str) -> None:
    start = time.monotonic()
    mail = mime.read(CASES[case])
    assert time.monotonic() - start < SECONDS
    assert faults(mail) == []


def test_a_big_attachment_is_read_in_seconds_and_in_less_than_six_times_its_size() -> None:
    content = bytes(range(256)) * 40_000
    lines = base64.encodebytes(content).replace(b"\n", b"\r\n")
    raw = parts(b"Content-Type: application/pdf; name=a.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n" + lines, 1)
    start = time.monotonic()
    tracemalloc.start()
    try:
        mail = mime.read(raw)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert time.monotonic() - start < SECONDS * 3  # tracing makes it slow
    assert mail.documents[0].size == len(content)
    assert peak < 6 * len(raw)


def test_a_compressed_attachment_stays_compressed() -> None:
    bomb = b"PK\x03\x04" + b"\x00" * 1000
    raw = parts(
        b"Content-Type: application/zip\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64.b64encode(bomb), 1
    )
    assert mime.document(raw, 1) == bomb


@pytest.mark.parametrize(
    ("field", "unit", "most"),
    [
        ("Subject", b"=?utf-8?q?a?=\x81\xff", words.MAX_GUESSED),
        ("Subject", b"=?x?q?=81=FF?= =?y?q?=81=FF?= ", words.MAX_GUESSED),
        ("Content-Type", b"a/b; name==?utf-8?q?a?=\x81\xff", words.MAX_GUESSED),
        ("From", b"\x81\xff,", parties.MAX_PARTIES),
        ("From", b"\x81\xff@a.example ", parties.MAX_PARTIES),
        ("From", b"<" + b"\x81\xff@a.example;" * 300 + b"x>,", parties.MAX_PARTIES),
        ("To", b"\x81\xff,", parties.MAX_PARTIES),
        ("To", b"=?x?q?=81=FF?= <a@a.example>,", parties.MAX_PARTIES),
    ],
)
def test_a_header_has_few_charsets_guessed(field: str, unit: bytes, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []

    def counting(octets: bytes) -> None:
        asked.append(octets)

    monkeypatch.setattr(guessing, "guess", counting)
    mime.read(field.encode() + b": " + unit * (100_000 // len(unit)) + b"\r\n\r\nx")
    assert len(asked) <= 2 * most  # a name may stand in two places
