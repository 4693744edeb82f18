from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailgate import mime
from mailgate.domain.mail import Document, Mail
from mailgate.mime import bodies, html, opening, tree
from tests.unit.mime.soundness import faults

HEAD = b"From: anna@haus.example\r\nSubject: s\r\nMIME-Version: 1.0\r\n"


def part(content_type: str, content: str = "x", disposition: str = "") -> bytes:
    more = f"Content-Disposition: {disposition}\r\n" if disposition else ""
    return f"Content-Type: {content_type}\r\n{more}\r\n{content}".encode()


def multipart(subtype: str, *parts: bytes, boundary: str = "b") -> bytes:
    mark = f"--{boundary}\r\n".encode()
    rows = b"".join(mark + inner + b"\r\n" for inner in parts)
    return (
        f'Content-Type: multipart/{subtype}; boundary="{boundary}"\r\n\r\n'.encode()
        + rows
        + f"--{boundary}--\r\n".encode()
    )


def codes(mail: Mail) -> list[str]:
    return [note.code for note in mail.notes]


PLAIN = part("text/plain", "plain")
FOOT = part("text/plain", "foot")
PNG = part("image/png")
HTML = part("text/html", "<p>html</p>")


def test_a_subject_that_says_no_charset_is_in_that_of_the_body() -> None:
    raw = "Content-Type: text/plain; charset=koi8-r\r\nSubject: Привет\r\n\r\n".encode("koi8-r")
    assert mime.read(raw).subject == "Привет"


@pytest.mark.parametrize(
    ("raw", "text", "html", "documents"),
    [
        (PLAIN, "plain", "", []),
        (HTML, "html", "<p>html</p>", []),
        (multipart("alternative", PLAIN, HTML), "plain", "<p>html</p>", []),
        (multipart("alternative", HTML), "html", "<p>html</p>", []),
        (multipart("alternative", PLAIN), "plain", "", []),
        (multipart("alternative", PLAIN, HTML, part("text/calendar")), "plain", "<p>html</p>", ["text/calendar"]),
        (multipart("mixed", PLAIN, part("application/pdf")), "plain", "", ["application/pdf"]),
        (multipart("mixed", PLAIN, part("text/plain", "two")), "plain\n\ntwo", "", []),
        (multipart("mixed", PLAIN, part("text/plain; name=a.txt")), "plain", "", ["text/plain"]),
        (multipart("mixed", PLAIN, part("text/plain", "x", "attachment")), "plain", "", ["text/plain"]),
        (multipart("mixed", PLAIN, part("text/html; name=a.html")), "plain", "", ["text/html"]),
        (multipart("mixed", part("text/plain", "x", "attachment")), "", "", ["text/plain"]),
        (multipart("mixed", PLAIN, part("message/rfc822", "Subject: i\r\n\r\ninner")), "plain", "", ["message/rfc822"]),
        (multipart("mixed", PLAIN, part("message/delivery-status")), "plain", "", ["message/delivery-status"]),
        (multipart("mixed", PLAIN, part("text/enriched")), "plain", "", ["text/enriched"]),
        (multipart("related", HTML, part("text/html", "frame")), "html", "<p>html</p>", ["text/html"]),
        (multipart("mixed", PLAIN, multipart("mixed", part("text/plain", "in"), boundary="c")), "plain\n\nin", "", []),
        (
            multipart("alternative", PLAIN, multipart("mixed", HTML, PNG, boundary="c")),
            "plain",
            "<p>html</p>",
            ["image/png"],
        ),
        (
            multipart("mixed", multipart("alternative", PLAIN, HTML, boundary="c"), FOOT),
            "plain\n\nfoot",
            '<p>html</p>\n<div style="white-space:pre-wrap">foot</div>',
            [],
        ),
        (multipart("alternative", multipart("mixed", PLAIN, HTML, boundary="c")), "plain", "<p>html</p>", []),
        (part("multipart/mixed", "no boundary"), "no boundary", "", []),
        (part("multipart/mixed; boundary=b", "never seen"), "never seen", "", []),
        (part("application/pdf"), "", "", ["application/pdf"]),
        (part("image/png", "x", "inline"), "", "", ["image/png"]),
        (b"\r\nno type", "no type", "", []),
    ],
)
def test_bodies_are_told_from_documents(raw: bytes, text: str, html: str, documents: list[str]) -> None:
    mail = mime.read(HEAD + raw)
    assert (mail.text, mail.html, [document.type for document in mail.documents]) == (text, html, documents)


def test_a_multipart_sent_as_an_attachment_holds_documents_only() -> None:
    inner = b"Content-Disposition: attachment\r\n" + multipart("mixed", PLAIN, HTML, boundary="c")
    mail = mime.read(HEAD + multipart("mixed", PLAIN, inner))
    assert (mail.text, [document.type for document in mail.documents]) == ("plain", ["text/plain", "text/html"])


def test_a_document_is_listed_as_it_is_and_can_be_fetched() -> None:
    raw = HEAD + multipart("mixed", PLAIN, part("application/pdf; name=a.pdf", "%PDF", "attachment"))
    assert mime.read(raw).documents == (
        Document(n=1, name="a.pdf", type="application/pdf", size=4, sha256=sha256(b"%PDF").hexdigest()),
    )
    assert mime.document(raw, 1) == b"%PDF"
    assert [mime.document(raw, n) for n in (-1, 0, 2)] == [None, None, None]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"<a.b@c.example>", "<a.b@c.example>"),
        (b"<[x]@microsoft.example> (comment)", "<[x]@microsoft.example>"),
        (b"no-brackets@c.example", "no-brackets@c.example"),
        (b"\r\n <folded@c.example>", "<folded@c.example>"),
        (b"<a\x00b\x1b@c.example>", "<a\ufffdb\ufffd@c.example>"),
        (b"<" + b"x" * 5000 + b">", "<" + "x" * 510 + "…"),
        (b"", ""),
    ],
)
def test_a_message_id_is_told_as_it_stands(value: bytes, expected: str) -> None:
    assert mime.read(b"Message-ID: " + value + b"\r\n\r\nx").message_id == expected


@pytest.mark.parametrize(("cid", "inline"), [("<logo@a.example>", True), ("logo@a.example", True), ("<other>", False)])
def test_a_picture_that_the_html_shows_is_inline(cid: str, inline: bool) -> None:
    picture = b"Content-ID: " + cid.encode() + b"\r\n" + part("image/png")
    shows = part("text/html", '<img src="cid:logo@a.example">')
    assert [document.inline for document in mime.read(HEAD + multipart("related", shows, picture)).documents] == [
        inline
    ]


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (HEAD + multipart("mixed", PLAIN)[:-10], "defects"),
        (HEAD + "\r\nfür".encode("latin-1"), "charset_guessed"),
        ("Subject: für\r\n\r\n".encode("latin-1"), "charset_guessed"),
        (HEAD + b"Content-Type: text/plain\r\nContent-Type: text/html\r\n\r\nx", "ambiguous_structure"),
        (
            HEAD + b"Content-Transfer-Encoding: 7bit\r\nContent-Transfer-Encoding: base64\r\n\r\nx",
            "ambiguous_structure",
        ),
        (
            HEAD + b"Content-Type: multipart/mixed; boundary=b; boundary=a\r\n\r\n--b\r\n\r\nx\r\n--b--",
            "ambiguous_structure",
        ),
        (HEAD + b"Content-Transfer-Encoding: =?base64?\r\n\r\naGFsbG8=", "ambiguous_structure"),
        (HEAD + multipart("mixed", PLAIN, multipart("mixed", PLAIN, boundary="bb")), "ambiguous_structure"),
        (b"X: y\r\n" * 5001 + b"\r\nx", "header_too_large"),
        (b"Date: yesterday\r\n\r\nx", "date_absurd"),
        (HEAD + part("text/html", '<img src="https://a.example/x.png">'), "remote_images"),
        (HEAD + b"\r\n" + b" ".join(b"https://a.example/%d" % n for n in range(501)), "too_many_links"),
        (HEAD + multipart("mixed", *[PLAIN] * 2001), "unreadable"),
        (b"no field\r\n\r\nx", "defects"),
    ],
)
def test_what_is_odd_gets_its_note(raw: bytes, code: str) -> None:
    assert codes(mime.read(raw)) == [code]


@pytest.mark.parametrize("encoding", ["BASE64", " 8bit ", "7bit (plain)", "\r\n quoted-printable", "x-own"])
def test_an_encoding_in_the_usual_form_is_not_odd(encoding: str) -> None:
    assert codes(mime.read(HEAD + f"Content-Transfer-Encoding: {encoding}\r\n\r\naGFsbG8=".encode())) == []


def test_boundaries_that_only_look_alike_do_not_clash() -> None:
    inner = multipart("alternative", PLAIN, boundary="b_2")
    assert codes(mime.read(HEAD + multipart("mixed", PLAIN, inner, boundary="b_1"))) == []


def test_an_ordinary_mail_gets_no_note() -> None:
    assert codes(mime.read(HEAD + multipart("alternative", PLAIN, HTML))) == []


def test_the_header_is_told_where_the_body_can_not_be_read() -> None:
    mail = mime.read(HEAD + multipart("mixed", *[PLAIN] * 2001))
    assert (mail.subject, mail.parties[0].email, mail.text, mail.documents) == ("s", "anna@haus.example", "", ())


def test_a_fault_of_our_own_costs_a_note_and_not_the_mail(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_root: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(bodies, "choose", fail)
    mail = mime.read(HEAD + PLAIN)
    assert (mail.subject, codes(mail)) == ("s", ["unreadable"])
    assert mime.document(HEAD + PLAIN, 1) is None


def test_links_come_from_text_and_html_each_once() -> None:
    text = part("text/plain", "https://a.example/1 https://a.example/2")
    html = part("text/html", '<a href="https://a.example/2">x</a> https://a.example/3')
    mail = mime.read(HEAD + multipart("alternative", text, html))
    assert mail.links == ("https://a.example/1", "https://a.example/2", "https://a.example/3")


def test_many_threads_read_alike() -> None:
    raws = [HEAD + multipart("mixed", PLAIN, part("text/plain", f"{n}", "attachment")) for n in range(50)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(mime.read, raws)) == [mime.read(raw) for raw in raws]


# -- whatever comes ----------------------------------------------------------------------------------------------------

PIECES = st.sampled_from(
    [
        *(b"\r\n", b"\n", b"\r\n\r\n", b" ", b"\t", b";", b":", b'"', b"(", b")", b"<", b">", b"=", b"\\", b"\x00"),
        *(b"--b", b"--b--", b"--b\r\n", b"boundary=b", b"From: ", b"To: ", b"Subject: ", b"Date: ", b"Content-Type: "),
        *(b"multipart/mixed", b"multipart/alternative", b"message/rfc822", b"text/plain", b"text/html", b"image/png"),
        *(
            b"Content-Transfer-Encoding: ",
            b"base64",
            b"quoted-printable",
            b"x-uuencode",
            b"begin 644 a\r\n",
            b"charset=",
        ),
        *(b"utf-7", b"utf-16", b"iso-2022-jp", b"gb2312", b"fakescii", b"=?utf-8?Q?", b"=?utf-7?B?", b"?=", b"\x1b$B"),
        *(
            b"Content-Disposition: attachment; ",
            b"filename=",
            b"filename*0*=",
            b"name*=utf-8''%FF",
            b"../",
            b"\xff\xfe",
        ),
        *(
            b"<a href=",
            b"<img src=",
            b"cid:x",
            b"https://a.example/",
            b"javascript:",
            b"<script>",
            b"<!--",
            b"<style",
            b"&#0;",
        ),
        *(b"+2AA-", b"\xed\xa0\x80", b"\xe2\x80\xae", b"@a.example", b"anna", b"\x9b", b"\x85"),
    ]
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.one_of(PIECES, st.binary(max_size=8)), max_size=60).map(b"".join))
def test_any_bytes_are_read(raw: bytes) -> None:
    mail = mime.read(raw)
    assert faults(mail) == []
    assert all(mime.document(raw, document.n) is not None for document in mail.documents)


MUTABLE = (
    HEAD
    + b"To: =?utf-8?Q?K=C3=BC?= <k@kunde.example>, G: a@a.example;\r\nDate: Mon, 16 Nov 2026 09:30:00 +0100\r\n"
    + multipart(
        "mixed",
        multipart(
            "alternative", PLAIN, part("text/html; charset=utf-8", '<a href="https://a.example">x</a>'), boundary="c"
        ),
        part("application/pdf; name*0*=utf-8''%C3; name*1*=%BC", "x", "attachment; filename=a.pdf"),
        part("message/rfc822", "Subject: inner\r\n\r\ny"),
    )
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_a_mail_with_bytes_changed_or_cut_out_is_read(data: st.DataObject) -> None:
    raw = bytearray(MUTABLE)
    for _ in range(data.draw(st.integers(1, 5))):
        start = data.draw(st.integers(0, len(raw)))
        end = min(len(raw), start + data.draw(st.integers(0, 40)))
        raw[start:end] = data.draw(st.one_of(PIECES, st.binary(max_size=10)))
    mail = mime.read(bytes(raw))
    assert faults(mail) == []
    assert "unreadable" not in codes(mail)


def test_a_body_that_is_too_long_begins_in_the_text_and_is_a_document_as_a_whole() -> None:
    letters = b"0123456789abcde\n" * (opening.MAX_SHOWN // 16 + 1)
    raw = b"Subject: long\r\nContent-Type: text/plain\r\n\r\n" + letters
    mail = mime.read(raw)
    assert len(mail.text) == opening.EXCERPT
    assert letters.decode().startswith(mail.text)
    assert [(one.name, one.size) for one in mail.documents] == [("document-1.txt", len(letters))]
    assert mime.document(raw, 1) == letters
    assert [note.code for note in mail.notes] == ["body_too_long"]


ROW = '<tr><td>Lamp</td><td><a href="https://a.example/{0}">{0}</a><img src="https://b.example/{0}.png"></td></tr>\n'


def test_html_with_too_many_tags_begins_here_as_html_and_is_a_document_as_a_whole() -> None:
    rows = html.MAX_MARKS // ROW.count("<") + 100
    table = "<table>" + "".join(ROW.format(n) for n in range(rows)) + "</table>"
    raw = b"Content-Type: text/html; charset=us-ascii\r\n\r\n" + table.encode()
    mail = mime.read(raw)
    assert mail.text.startswith("Lamp  0 <https://a.example/0>\nLamp  1 <")
    assert f"Lamp  {rows - 200} " in mail.text
    assert mail.html.startswith("<table><tbody><tr><td>Lamp</td>")
    assert mail.html.endswith("</table>")
    assert mail.links[:2] == ("https://a.example/0", "https://a.example/1")
    assert [(one.name, one.size) for one in mail.documents] == [("document-1.html", len(table))]
    assert mime.document(raw, 1) == table.encode()
    assert [note.code for note in mail.notes] == ["body_too_long", "too_many_links", "remote_images"]
    assert faults(mail) == []


def test_html_whose_tags_only_show_when_it_is_decoded_begins_here_too() -> None:
    raw = b"Content-Type: text/html; charset=utf-7\r\n\r\nBegin" + b"+ADw-i+AD4-x" * (html.MAX_MARKS + 10)
    mail = mime.read(raw)
    assert mail.text.startswith("Beginxxx")
    assert len(mail.text) == len("Begin") + html.MAX_MARKS
    assert [note.code for note in mail.notes] == ["body_too_long"]
    assert mail.documents == ()


def test_bodies_in_html_share_one_allowance_of_tags() -> None:
    half = b"<br>" * (html.MAX_MARKS * 2 // 3) + b"end"
    part = b"--m\r\nContent-Type: text/html\r\n\r\n" + half + b"\r\n"
    mail = mime.read(b"Content-Type: multipart/mixed; boundary=m\r\n\r\n" + part + part + b"--m--\r\n")
    assert mail.html.count("<br>") == html.MAX_MARKS
    assert mail.text.count("end") == 1
    assert [one.size for one in mail.documents] == [len(half)]


@pytest.mark.parametrize(
    ("content_id", "source", "shown"),
    [
        ("<Logo2@x>", "cid:Logo2%40x", "cid:Logo2@x"),
        ("<Logo2%40x>", "cid:Logo2%40x", "cid:Logo2%40x"),
        ("<a+b%@x>", "cid:a+b%25%40x", "cid:a+b%@x"),
        ("<Logo2@x>", "cid:Logo2@x", "cid:Logo2@x"),
    ],
)
def test_a_picture_is_shown_by_its_name_also_where_that_has_percent_signs(
    content_id: str, source: str, shown: str
) -> None:
    related = (
        f'Content-Type: multipart/related; boundary=m\r\n\r\n--m\r\nContent-Type: text/html\r\n\r\n<img src="{source}">'
        f"\r\n--m\r\nContent-Type: image/png\r\nContent-ID: {content_id}\r\n\r\nx\r\n--m--\r\n"
    )
    mail = mime.read(related.encode())
    assert mail.html == f'<img src="{shown}">'
    assert [(one.inline, f"cid:{one.content_id}") for one in mail.documents] == [(True, shown)]


def test_a_name_that_becomes_another_one_by_its_percent_signs_stays() -> None:
    related = (
        "Content-Type: multipart/related; boundary=m\r\n\r\n--m\r\nContent-Type: text/html\r\n\r\n"
        '<img src="cid:a%20b"><img src="cid:c%40d">'
        "\r\n--m\r\nContent-Type: image/png\r\nContent-ID: <a b>\r\n\r\nx\r\n--m--\r\n"
    )
    assert mime.read(related.encode()).html == '<img src="cid:a%20b"><img src="cid:c%40d">'


def test_bodies_share_one_allowance() -> None:
    half = b"x" * (opening.MAX_SHOWN * 2 // 3)
    parts = b"".join(b"--m\r\n\r\n" + part + b"\r\n" for part in (half, half, b"end"))
    mail = mime.read(b"Content-Type: multipart/mixed; boundary=m\r\n\r\n" + parts + b"--m--\r\n")
    assert len(mail.text) == len(half) + opening.EXCERPT + len("end") + 2 * len("\n\n")
    assert [one.size for one in mail.documents] == [len(half)]


@pytest.mark.parametrize(
    ("head", "content", "is_one"),
    [
        (b"Content-Type: message/rfc822", b"Subject: a\n\nb", True),
        (b"Content-Type: message/global", b"anything", True),
        (b'Content-Type: application/octet-stream; name="old.eml"', b"From: a@a.example\nSubject: a\n\nb", True),
        (b'Content-Type: text/plain; name="OLD.EML"', b"From: a@a.example\nDate: x\n\nb", True),
        (b'Content-Type: application/octet-stream; name="old.eml"', b"no mail at all", False),
        (b'Content-Type: application/octet-stream; name="old.bin"', b"From: a@a.example\nSubject: a\n\nb", False),
        (b'Content-Type: application/pdf; name="old.eml"', b"From: a@a.example\nSubject: a\n\nb", False),
    ],
)
def test_attached_mails_are_found_also_where_they_are_files(head: bytes, content: bytes, is_one: bool) -> None:
    part = b"--m\n" + head + b"\nContent-Disposition: attachment\n\n" + content
    raw = (b"Content-Type: multipart/mixed; boundary=m\n\n--m\n\ntext\n" + part + b"\n--m--\n").replace(b"\n", b"\r\n")
    assert mime.attached(raw) == (((1, content.replace(b"\n", b"\r\n")),) if is_one else ())


FILE = b"--b\r\nContent-Type: %b\r\nContent-Transfer-Encoding: %b\r\n\r\n"
MIXED = b"Content-Type: multipart/mixed; boundary=b\r\n\r\nbefore\r\n--b\r\n\r\nGuten Tag\r\n"


@pytest.mark.parametrize(
    ("kind", "encoding", "left"),
    [
        (b"application/pdf", b"base64", b""),
        (b"image/png", b" BASE64 ", b""),
        (b"application/octet-stream", b"base64", b"QUJD\r\nQUJD"),
        (b"application/ms-tnef", b"base64", b"QUJD\r\nQUJD"),
        (b"application/pkcs7-mime", b"base64", b"QUJD\r\nQUJD"),
        (b"text/plain", b"base64", b"QUJD\r\nQUJD"),
        (b"message/rfc822", b"base64", b"QUJD\r\nQUJD"),
        (b"application/pdf", b"8bit", b"QUJD\r\nQUJD"),
    ],
)
def test_a_skeleton_is_all_of_a_mail_but_files(kind: bytes, encoding: bytes, left: bytes) -> None:
    head = FILE % (kind, encoding)
    behind = b"\r\n--b\r\n\r\nGruss\r\n--b--\r\nafter"
    assert mime.skeleton(MIXED + head + b"QUJD\r\nQUJD" + behind) == MIXED + head + left + behind


def test_the_skeleton_of_what_cannot_be_taken_apart_is_all_of_it() -> None:
    raw = MIXED + FILE % (b"image/png", b"base64") * (tree.MAX_PARTS + 1)
    assert mime.skeleton(raw) == raw
