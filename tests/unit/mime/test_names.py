import pytest

from mailgate.mime import names
from mailgate.mime.names import Names


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ("Offerte 2026.pdf", "Offerte 2026.pdf"),
        ("Übersicht für Zürich.xlsx", "Übersicht für Zürich.xlsx"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Windows\\system.ini", "system.ini"),
        ("/etc/x", "x"),
        ("a\x00b.txt", "a b.txt"),
        ("a\r\nb.txt", "a b.txt"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        ("a\u200b\u200eb.txt", "ab.txt"),
        ("CON", "_CON"),
        ("con.tar.gz", "_con.tar.gz"),
        ("aux .c", "_aux .c"),
        ("CONOUT$", "_CONOUT$"),
        ("COM1", "_COM1"),
        ("Lpt9.doc", "_Lpt9.doc"),
        ("contract.pdf", "contract.pdf"),
        ("trailing. . ", "trailing"),
        ("what?<now>.pdf", "what__now_.pdf"),
        ("\ud800.txt", "_.txt"),
        (".", ""),
        ("..", ""),
        ("...", ""),
        ("   ", ""),
        ("a  b.txt", "a  b.txt"),
        ("a\u00adb.txt", "ab.txt"),
        ("a/", ""),
        ("Rechnung 12/2026.pdf", "Rechnung 12_2026.pdf"),
        ("und/oder", "und_oder"),
        ("a/../b.txt", "b.txt"),
        ("./b.txt", "b.txt"),
        ("~/b.txt", "b.txt"),
        ("C:/dir/b.txt", "b.txt"),
        ("dir\\a/b.txt", "a_b.txt"),
        ("", ""),
        ("e\u0301.txt", "é.txt"),
    ],
)
def test_a_declared_name_is_made_safe(declared: str, expected: str) -> None:
    assert names.safe(declared) == expected


@pytest.mark.parametrize("declared", ["n" * 4000 + ".pdf", "ü" * 4000 + ".pdf", "n" * 100_000 + ".pdf"])
def test_a_long_name_is_cut_and_keeps_its_ending(declared: str) -> None:
    name = names.safe(declared)
    assert name.endswith(".pdf")
    assert len(name.encode()) <= names.MAX_BYTES


def test_a_nameless_document_is_named_by_its_number_and_type() -> None:
    given = Names()
    assert given.give("", "application/pdf", 1) == "document-1.pdf"
    assert given.give("..", "x/y", 2) == "document-2.bin"


@pytest.mark.parametrize(
    ("media", "ending"),
    [
        ("image/jpg", ".jpg"),
        ("image/pjpeg", ".jpg"),
        ("image/heic", ".heic"),
        ("image/tiff", ".tif"),
        ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", ".docx"),
        ("application/vnd.ms-excel", ".xls"),
        ("application/x-zip-compressed", ".zip"),
        ("text/rtf", ".rtf"),
        ("text/xml", ".xml"),
        ("audio/mpeg", ".mp3"),
        ("video/mp4", ".mp4"),
        ("application/octet-stream", ".bin"),
    ],
)
def test_a_nameless_document_has_the_ending_that_programs_open(media: str, ending: str) -> None:
    assert Names().give("", media, 1) == f"document-1{ending}"


def test_an_attached_mail_without_a_name_is_named_by_its_subject() -> None:
    given = Names()
    assert given.give("", "message/rfc822", 1, "Offer: 1/2") == "Offer_ 1_2.eml"
    assert given.give("", "message/rfc822", 2, "") == "document-2.eml"


def test_names_are_unique_whatever_their_case() -> None:
    given = Names()
    told = [given.give(name, "x/y", 1) for name in ("a.txt", "A.TXT", "a.txt", "a (2).txt", "b", "b")]
    assert told == ["a.txt", "A (2).TXT", "a (3).txt", "a (2) (2).txt", "b", "b (2)"]
