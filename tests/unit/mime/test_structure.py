"""How mails are taken apart that are built in every way: which parts are shown, which are documents."""

import pytest

from mailgate import mime

HEAD = b"From: a@a.example\r\nSubject: s\r\n"
PDF = b"Content-Type: application/pdf"


def mixed(*parts: bytes, kind: bytes = b"mixed", end: bytes = b"--b--\r\n") -> bytes:
    opened = b"".join(b"--b\r\n" + part + b"\r\n" for part in parts)
    return HEAD + b"Content-Type: multipart/" + kind + b"; boundary=b\r\n\r\n" + opened + end


def text(body: bytes, more: bytes = b"") -> bytes:
    return b"Content-Type: text/plain\r\n" + more + b"\r\n" + body


def inner(kind: bytes, *parts: bytes, boundary: bytes = b"c", end: bytes | None = None) -> bytes:
    opened = b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts)
    closed = b"--" + boundary + b"--" if end is None else end
    return b"Content-Type: multipart/" + kind + b"; boundary=" + boundary + b"\r\n\r\n" + opened + closed


HTML = b"Content-Type: text/html\r\n\r\n<p>html</p>"
MAIL = b"Content-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\ninner text"
CASES: dict[str, tuple[bytes, str, list[str], set[str]]] = {
    "an attachment without a name": (mixed(text(b"t"), PDF + b"\r\n\r\nx"), "t", ["application/pdf"], set()),
    "an attachment sent inline": (
        mixed(text(b"t"), PDF + b"; name=a.pdf\r\nContent-Disposition: inline\r\n\r\nx"),
        *("t", ["application/pdf"], set()),
    ),
    "an attached text": (
        mixed(text(b"t"), text(b"u", b"Content-Disposition: attachment\r\n")),
        "t",
        ["text/plain"],
        set(),
    ),
    "an attached mail": (mixed(text(b"t"), MAIL), "t", ["message/rfc822"], set()),
    "a mail that is another": (HEAD + MAIL, "", ["message/rfc822"], set()),
    "a digest": (
        mixed(b"\r\nSubject: 1\r\n\r\none", b"\r\nSubject: 2\r\n\r\ntwo", kind=b"digest"),
        *("", ["message/rfc822", "message/rfc822"], set()),
    ),
    "a part of a mail in several": (
        HEAD + b'Content-Type: message/partial; id="i"; number=1; total=2\r\n\r\nSubject: whole\r\n\r\nfirst half',
        *("", ["message/partial"], set()),
    ),
    "what lies elsewhere": (
        mixed(text(b"t"), b"Content-Type: message/external-body; access-type=URL\r\n\r\nContent-Type: image/png\r\n"),
        *("t", ["message/external-body"], set()),
    ),
    "a delivery report": (
        mixed(
            text(b"t"),
            b"Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns;m.example",
            MAIL,
            kind=b"report",
        ),
        *("t", ["message/delivery-status", "message/rfc822"], set()),
    ),
    "enriched text": (mixed(text(b"t"), b"Content-Type: text/enriched\r\n\r\n<b>t</b>"), "t", ["text/enriched"], set()),
    "a file of a Mac in two forks": (
        mixed(text(b"t"), inner(b"appledouble", b"Content-Type: application/applefile\r\n\r\nr", PDF + b"\r\n\r\nd")),
        *("t", ["application/applefile", "application/pdf"], set()),
    ),
    "a calendar among alternatives": (
        mixed(text(b"t"), HTML, b"Content-Type: text/calendar\r\n\r\nx", kind=b"alternative"),
        *("t", ["text/calendar"], set()),
    ),
    "an empty text beside HTML": (mixed(text(b" \r\n"), HTML, kind=b"alternative"), "html", [], set()),
    "related, its start the second": (
        mixed(
            text(b"t"),
            HTML.replace(b"html\r", b"html\r\nContent-ID: <h>\r", 1),
            kind=b'related; start="<h>"',
        ),
        *("html", ["text/plain"], set()),
    ),
    "related, its picture first": (
        mixed(b"Content-Type: image/png\r\nContent-ID: <l>\r\n\r\nx", HTML, kind=b"related"),
        *("html", ["image/png"], set()),
    ),
    "parts without any header": (mixed(b"\r\none", b"\r\ntwo"), "one\n\ntwo", [], set()),
    "no closing delimiter": (mixed(text(b"t"), PDF + b"\r\n\r\nx", end=b""), "t", ["application/pdf"], {"defects"}),
    "an inner multipart that never closes": (
        mixed(inner(b"alternative", text(b"t"), end=b"").rstrip(), PDF + b"\r\n\r\nx"),
        *("t", ["application/pdf"], {"defects"}),
    ),
    "an inner multipart that goes on behind the outer delimiter": (
        mixed(
            inner(b"related", text(b"t"), end=b"").rstrip(),
            PDF + b"\r\n\r\nx\r\n--c\r\nContent-Type: image/png\r\n\r\ny",
        ),
        *("t", ["application/pdf", "image/png"], {"defects"}),
    ),
    "the boundary of the one around it": (
        mixed(inner(b"alternative", text(b"t"), HTML, boundary=b"b"), PDF + b"\r\n\r\nx"),
        *("t", ["application/pdf"], {"ambiguous_structure"}),
    ),
    "a boundary that begins another": (
        mixed(inner(b"alternative", text(b"t"), HTML, boundary=b"bb"), PDF + b"\r\n\r\nx"),
        *("t", ["application/pdf"], {"ambiguous_structure"}),
    ),
    "a boundary that ends in a space": (
        mixed(text(b"t")).replace(b"boundary=b", b'boundary="b "'),
        *("t", [], {"ambiguous_structure"}),
    ),
    "a boundary with more behind it": (
        mixed(text(b"t"), PDF + b"\r\n\r\nx", end=b"").replace(b"--b\r\n", b"--b;\r\n"),
        *("t", ["application/pdf"], {"ambiguous_structure", "defects"}),
    ),
    "two boundary parameters": (
        mixed(text(b"t")).replace(b"boundary=b", b"boundary=b; boundary=c"),
        *("t", [], {"ambiguous_structure"}),
    ),
    "two Content-Types": (
        HEAD + b"Content-Type: text/plain\r\nContent-Type: text/html\r\n\r\n<p>t</p>",
        *("<p>t</p>", [], {"ambiguous_structure"}),
    ),
    "two encodings": (
        HEAD + b"Content-Transfer-Encoding: 7bit\r\nContent-Transfer-Encoding: base64\r\n\r\nYWJj",
        *("YWJj", [], {"ambiguous_structure"}),
    ),
    "an encoded word as an encoding": (
        HEAD + b"Content-Transfer-Encoding: =?base64?\r\n\r\nYWJj",
        *("abc", [], {"ambiguous_structure"}),
    ),
    "an encoding of a multipart": (
        mixed(text(b"t")).replace(b"Subject: s", b"Content-Transfer-Encoding: base64"),
        *("t", [], {"ambiguous_structure", "defects"}),
    ),
    "base64 that is none": (
        mixed(text(b"plain words here", b"Content-Transfer-Encoding: base64\r\n")),
        *("plain words here", [], set()),
    ),
    "a delimiter right in the header": (
        HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n--b\r\n" + text(b"t") + b"\r\n--b--\r\n",
        *("t", [], {"defects"}),
    ),
    "a multipart that has no boundary": (HEAD + b"Content-Type: multipart/mixed\r\n\r\nt", "t", [], {"defects"}),
    "a multipart that has no part": (
        HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n\r\nt",
        "t",
        [],
        {"defects"},
    ),
    "a delimiter at the very end": (mixed(text(b"t"), end=b"--b\r\n"), "t", [], {"defects"}),
}


@pytest.mark.parametrize("case", CASES)
def test_a_mail_is_taken_apart_as_mail_programs_do(case: str) -> None:
    raw, body, types, codes = CASES[case]
    mail = mime.read(raw)
    assert mail.text.strip() == body
    assert [document.type for document in mail.documents] == types
    assert {note.code for note in mail.notes} - {"type_mismatch"} == codes
    assert mime.read(raw) == mail


def test_each_attached_mail_keeps_its_bytes() -> None:
    raw = mixed(text(b"t"), MAIL, MAIL)
    _, _, content = MAIL.partition(b"\r\n\r\n")
    assert mime.attached(raw) == ((1, content), (2, content))


@pytest.mark.parametrize(
    ("declared", "disposition", "expected"),
    [
        (b"; name=type.pdf", b"; filename=said.pdf", "said.pdf"),
        (b"; name=type.pdf", b"", "type.pdf"),
        (b"; filename=odd.pdf", b"", "odd.pdf"),
        (b"; filename*=utf-8''%C3%BC.pdf", b"", "ü.pdf"),
        (b"", b"; name=odd.pdf", "odd.pdf"),
        (b"; filename=type.pdf", b"; name=said.pdf", "type.pdf"),
        (b"; name=type.pdf; filename=odd.pdf", b"; name=odd.pdf", "type.pdf"),
        (b"", b"", "document-1.pdf"),
    ],
)
def test_a_document_has_the_name_that_stands_anywhere(declared: bytes, disposition: bytes, expected: str) -> None:
    raw = mixed(text(b"t"), PDF + declared + b"\r\nContent-Disposition: attachment" + disposition + b"\r\n\r\nx")
    assert [document.name for document in mime.read(raw).documents] == [expected]
