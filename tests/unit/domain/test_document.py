import pytest

from mailgate.domain.document import MAX_NAME, NewDocument, read_name, read_type
from mailgate.errors import BadInput

FIELD = "documents[0].name"


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("offer.pdf", "offer.pdf"),
        (" offer.pdf ", "offer.pdf"),
        ("Zu\u0308rich.pdf", "Z\u00fcrich.pdf"),
        ("報告 2026.pdf", "報告 2026.pdf"),
        ("..offer", "..offer"),
        ("a" * MAX_NAME, "a" * MAX_NAME),
    ],
    ids=ascii,
)
def test_a_bare_name_is_taken(given: str, name: str) -> None:
    assert read_name(given, FIELD) == name


@pytest.mark.parametrize(
    "given",
    [
        "../../x",
        "/etc/passwd",
        "a/b.pdf",
        "..\\x",
        "C:\\x.pdf",
        "..",
        ".",
        "",
        "  ",
        "a\x00b",
        "a\nb",
        "a\u202efdp.exe",
        "a\u200bb",
        "a\ud800",
        "a" * (MAX_NAME + 1),
        "é" * MAX_NAME,
        "a" + "\u0301\u0323" * 500_000,
    ],
    ids=lambda given: ascii(given[:12]),
)
def test_any_other_is_refused_by_the_name_of_its_field(given: str) -> None:
    with pytest.raises(BadInput, match=r"^documents\[0\]\.name: "):
        read_name(given, FIELD)


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ("application/pdf", "application/pdf"),
        ("Text/Plain; charset=utf-8", "text/plain"),
        ("application/vnd.ms-excel+xml", "application/vnd.ms-excel+xml"),
    ],
)
def test_a_type_is_taken_without_its_parameters(given: str, kind: str) -> None:
    assert read_type(given, "type") == kind


@pytest.mark.parametrize(
    "given", ["", "pdf", "application/", "/pdf", "a b/c", "a/b/c", "text/pläin", "a\n/b", "x" * 70 + "/y"]
)
def test_what_is_no_type_is_refused(given: str) -> None:
    with pytest.raises(BadInput, match=r"^type: "):
        read_type(given, "type")


def test_a_document_knows_its_hash() -> None:
    made = NewDocument("a", "text/plain", b"abc")
    assert made.sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
