import io
import time
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailgate.mime import sniffing
from mailgate.mime.sniffing import Hint

PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF"
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(20)
EXE = b"MZ\x90\x00\x03\x00\x00\x00"
HTML = b"<!DOCTYPE html><html><body>x"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
OCTETS = "application/octet-stream"


def zipped() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("word/document.xml", "<w/>")
    return out.getvalue()


ZIP = zipped()


@pytest.mark.parametrize(
    ("content", "media", "name"),
    [
        (PDF, "application/pdf", "offer.pdf"),
        (b"\r\n\r\n" + PDF, "application/pdf", "offer.pdf"),
        (PNG, "image/png", "logo.png"),
        (JPEG, "image/jpg", "photo.jpg"),
        (ZIP, DOCX, "offer.docx"),
        (ZIP, "application/zip", "all.zip"),
        (ZIP, OCTETS, "offer.docx"),
        (OLE, "application/msword", "offer.doc"),
        (b"{\\rtf1 x}", "application/msword", "offer.doc"),
        (b"<html><table>", "application/vnd.ms-excel", "list.xls"),
        (b"\x00\x01\x02", "application/pdf", "broken.pdf"),
        (b"", "application/pdf", "empty.pdf"),
        (b"a;b\n1;2\n", "text/csv", "list.csv"),
        (HTML, "text/html", "page.html"),
        (b"<svg xmlns='x'/>", "image/svg+xml", "logo.svg"),
        ("grüße".encode() * 400, "text/plain", "a.txt"),
        (b"gr\xfc\xdfe", "text/plain", "a.txt"),
        (b"MZ is how some words begin", "text/plain", "a.txt"),
        (b"#!/bin/sh\n", "text/plain", "howto.txt"),
        (b"anything", "application/x-invented", "x.y"),
        (ZIP, OCTETS, "backup.bak"),
    ],
)
def test_nothing_is_said_of_what_is_as_declared_or_unknown(content: bytes, media: str, name: str) -> None:
    assert sniffing.look(content, media, name) == Hint()


@pytest.mark.parametrize(
    ("content", "media", "name", "is_really"),
    [
        (ZIP, "application/pdf", "offer.pdf", "a zip archive"),
        (PNG, "image/jpeg", "photo.jpg", "a PNG picture"),
        (HTML, "application/pdf", "offer.pdf", "HTML"),
        (HTML, "image/png", "logo.png", "HTML"),
        (b"hello there", "image/png", "logo.png", "text"),
        (PDF, "text/plain", "a.txt", "a PDF"),
        (PDF, DOCX, "offer.docx", "a PDF"),
        (b"Rar!\x1a\x07\x00", "application/zip", "all.zip", "a RAR archive"),
    ],
)
def test_content_of_another_kind_than_declared_is_told(content: bytes, media: str, name: str, is_really: str) -> None:
    assert sniffing.look(content, media, name) == Hint(is_really=is_really)


def test_where_no_type_is_declared_the_name_says_what_it_should_be() -> None:
    assert sniffing.look(OLE, OCTETS, "offer.pdf") == Hint(is_really="an old Office document", by_type=False)


@pytest.mark.parametrize(
    ("content", "media", "name", "is_really"),
    [
        (EXE, OCTETS, "setup.exe", ""),
        (EXE, "application/pdf", "offer.pdf", "a program"),
        (EXE, OCTETS, "offer.pdf", "a program"),
        (EXE, "application/x-invented", "x", ""),
        (b"\x7fELF\x02\x01\x01", OCTETS, "tool", ""),
        (b"\xca\xfe\xba\xbe\x00\x00", OCTETS, "Main.class", ""),
        (b"L\x00\x00\x00\x01\x14\x02\x00", OCTETS, "offer", ""),
        (b"#!/bin/sh\nrm -r x", OCTETS, "run", ""),
        (b"x = 1", "text/plain", "invoice.pdf.js", ""),
        (b"x = 1", "text/plain", "INVOICE.VBS", ""),
        (b"", OCTETS, "screen.scr", ""),
        (b"<script>", "text/html", "open.hta", ""),
        (b"x", OCTETS, "setup.exe\u00a0", ""),
        (b"x", OCTETS, "setup.exe\u2003", ""),
        (b"<x/>", OCTETS, "open.settingcontent-ms", ""),
        (b"<x/>", OCTETS, "shared.library-ms", ""),
        (b"<x/>", OCTETS, "tool.jnlp", ""),
    ],
)
def test_what_runs_when_it_is_opened_is_told(content: bytes, media: str, name: str, is_really: str) -> None:
    seen = sniffing.look(content, media, name)
    assert (seen.executable, seen.is_really) == (True, is_really)


@given(st.binary(max_size=200), st.sampled_from(["text/plain", "application/pdf", OCTETS, ""]), st.text(max_size=20))
def test_any_content_is_looked_at(content: bytes, media: str, name: str) -> None:
    assert isinstance(sniffing.look(content, media, name), Hint)


def test_only_the_beginning_is_looked_at() -> None:
    start = time.monotonic()
    for _ in range(1000):
        sniffing.look(b" " * 1_000_000, "text/html", "a" * 1000)
    assert time.monotonic() - start < 10  # some milliseconds
