import logging
import time
import tracemalloc

import compressed_rtf  # type: ignore[import-untyped]  # it ships no types
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tnefparse import TNEF  # type: ignore[import-untyped]  # the same

from mailgate.mime import tnef
from mailgate.mime.bodies import File
from tests.unit.mime import winmail

PDF = b"%PDF-1.7 offer" + bytes(7)  # zeros at the end are its own
PNG = b"\x89PNG\r\n\x1a\n logo"
HTML = "<html><body><p>Grüße aus dem Hafen <img src='cid:logo@kran.example'></p></body></html>"
RTF = (
    rb"{\rtf1\ansi\ansicpg1252\fromhtml1 \deff0{\fonttbl{\f0\fswiss Arial;}}"
    rb"{\*\htmltag64 <p>}\htmlrtf {\htmlrtf0 Gr\'fc\'dfe {\*\htmltag84 <b>}\htmlrtf {\b\htmlrtf0 heute"
    rb"{\*\htmltag92 </b>}\htmlrtf }\htmlrtf0 {\*\htmltag72 </p>}\htmlrtf \par}\htmlrtf0 }"
)


def whole() -> bytes:
    inner = winmail.stream(
        winmail.message(winmail.unicode(winmail.P_SUBJECT, "Kran 7"), winmail.unicode(winmail.P_BODY, "Inside.")),
        winmail.attached("PLAN.PDF", PDF),
    )
    return winmail.stream(
        winmail.attribute(winmail.MESSAGE, winmail.SUBJECT, b"Offer\0"),
        winmail.message(
            winmail.named(b"x"),
            winmail.several(0x3A58, ["Ida", "Jan"]),
            winmail.number(winmail.P_INTERNET_CODE_PAGE, 65001),
            winmail.binary(winmail.P_HTML, HTML.encode()),
        ),
        winmail.attached("ANGEBO~1.PDF", PDF, winmail.unicode(winmail.P_LONG_NAME, "Angebot März - final.pdf")),
        winmail.attached(
            "logo.png",
            PNG,
            winmail.text8(winmail.P_TYPE, "image/png"),
            winmail.text8(winmail.P_CONTENT_ID, "<logo@kran.example>"),
        ),
        winmail.attached(
            "Untitled",
            None,
            winmail.unicode(winmail.P_DISPLAY_NAME, "Kran 7"),
            winmail.binary(winmail.P_OBJECT, winmail.MESSAGE_IID + inner, winmail.OBJECT),
        ),
    )


WHOLE = whole()


def unpacked(octets: bytes) -> tnef.Unpacked:
    found = tnef.unpack(octets)
    assert found is not None
    return found


def names(octets: bytes) -> list[str]:
    return [file.name for file in unpacked(octets).files]


def body(octets: bytes) -> list[tuple[str, str, bytes]]:
    found = unpacked(octets)
    return [(file.media, file.charset, file.content) for file in (*found.text, *found.html)]


def test_files_come_out_with_their_names_types_octets_and_content_ids() -> None:
    found = unpacked(WHOLE)
    assert found.files[:2] == (
        File("application/pdf", "Angebot März - final.pdf", PDF),
        File("image/png", "logo.png", PNG, "logo@kran.example"),
    )
    assert found.more is False


def test_of_an_attached_mail_the_text_and_the_files_come_out() -> None:
    found = unpacked(WHOLE)
    assert found.files[2:] == (
        File("text/plain", "Kran 7.txt", b"Inside.", charset="utf-8"),
        File("application/pdf", "PLAN.PDF", PDF),
    )
    assert found.mails == 1


def test_an_attached_mail_without_text_and_files_is_listed_as_it_is() -> None:
    inner = winmail.stream(winmail.message(winmail.unicode(winmail.P_SUBJECT, "A list of people")))
    octets = winmail.stream(
        winmail.attached("List", None, winmail.binary(winmail.P_OBJECT, winmail.MESSAGE_IID + inner, winmail.OBJECT))
    )
    assert unpacked(octets).files == (File("application/ms-tnef", "List", inner),)


def test_an_ole_object_comes_out_without_the_mark_before_it() -> None:
    octets = winmail.stream(
        winmail.attached("a.doc", None, winmail.binary(winmail.P_OBJECT, winmail.STORAGE_IID + PDF, winmail.OBJECT))
    )
    assert unpacked(octets).files == (File("application/msword", "a.doc", PDF),)


@pytest.mark.parametrize(
    ("kind", "content"), [(winmail.STORAGE_IID, PDF), (winmail.MESSAGE_IID, PDF), (b"", b"a picture of it")]
)
def test_of_an_object_and_a_picture_of_it_the_object_comes_out(kind: bytes, content: bytes) -> None:
    attached = winmail.attached("a", b"a picture of it", winmail.binary(winmail.P_OBJECT, kind + PDF, winmail.OBJECT))
    assert [file.content for file in unpacked(winmail.stream(attached)).files] == [content]


def test_a_link_to_a_file_that_did_not_come_along_is_no_file() -> None:
    assert unpacked(winmail.stream(winmail.attached("a.doc", None))).files == ()


@pytest.mark.parametrize(
    ("attached", "code_page", "name"),
    [
        (winmail.attached("смета.pdf", b"x", encoding="cp1251"), 1251, "смета.pdf"),
        (winmail.attached("報価.xls", b"x", encoding="cp932"), 932, "報価.xls"),
        (winmail.attached("報價.xls", b"x", encoding="big5"), 950, "報價.xls"),
        (winmail.attached("Äpfel.pdf", b"x", encoding="utf-8"), 65001, "Äpfel.pdf"),
        (winmail.attached("Äpfel.pdf", b"x"), 0, "Äpfel.pdf"),
        (winmail.attached("Łódź.pdf", b"x", encoding="iso-8859-2"), 28592, "Łódź.pdf"),
        (winmail.attached("Äpfel.pdf", b"x"), 4_000_000_000, "Äpfel.pdf"),
        (winmail.attached("A~1.PDF", b"x", winmail.text8(winmail.P_LONG_NAME, "Łan.pdf", "cp1250")), 1250, "Łan.pdf"),
        (
            winmail.attached(
                "A~1.PDF",
                b"x",
                winmail.text8(winmail.P_LONG_NAME, "?an.pdf"),
                winmail.unicode(winmail.P_LONG_NAME, "Łan.pdf"),
            ),
            1252,
            "Łan.pdf",
        ),
        (winmail.attached("", b"x", winmail.unicode(winmail.P_FILE_NAME, "A.PDF")), 1252, "A.PDF"),
        (winmail.attached("", b"x", winmail.unicode(winmail.P_DISPLAY_NAME, "a plan")), 1252, "a plan"),
        (winmail.attached("", b"x"), 1252, ""),
    ],
)
def test_a_name_is_the_longest_there_is_by_the_code_page_of_the_stream(
    attached: bytes, code_page: int, name: str
) -> None:
    assert names(winmail.stream(attached, code_page=code_page)) == [name]


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ([winmail.message(winmail.unicode(winmail.P_BODY, "Grüße"))], ("text/plain", "utf-8", "Grüße".encode())),
        ([winmail.message(winmail.text8(winmail.P_BODY, "Grüße"))], ("text/plain", "cp1252", b"Gr\xfc\xdfe")),
        ([winmail.attribute(1, winmail.BODY, b"Gr\xfc\xdfe\0")], ("text/plain", "cp1252", b"Gr\xfc\xdfe")),
        ([winmail.message(winmail.unicode(winmail.P_HTML, "<p>ü"))], ("text/html", "utf-8", "<p>ü".encode())),
        (
            [
                winmail.message(
                    winmail.binary(winmail.P_HTML, b"<p>\xc1"), winmail.number(winmail.P_INTERNET_CODE_PAGE, 20866)
                )
            ],
            ("text/html", "koi8-r", b"<p>\xc1"),
        ),
        (
            [winmail.message(winmail.binary(winmail.P_RTF, compressed_rtf.compress(RTF)))],
            ("text/html", "utf-8", "<p>Grüße <b>heute</b></p>".encode()),
        ),
        (
            [winmail.message(winmail.binary(winmail.P_RTF, compressed_rtf.compress(RTF, compressed=False)))],
            ("text/html", "utf-8", "<p>Grüße <b>heute</b></p>".encode()),
        ),
    ],
)
def test_the_body_is_html_or_text_or_what_the_rtf_holds(
    attributes: list[bytes], expected: tuple[str, str, bytes]
) -> None:
    assert body(winmail.stream(*attributes)) == [expected, expected]


def test_of_text_and_html_both_come_out() -> None:
    octets = winmail.stream(
        winmail.message(winmail.unicode(winmail.P_BODY, "a"), winmail.unicode(winmail.P_HTML, "<p>a"))
    )
    assert [media for media, _, _ in body(octets)] == ["text/plain", "text/html"]


@pytest.mark.parametrize(
    "octets",
    [
        winmail.stream(winmail.message(winmail.binary(winmail.P_RTF, b"LZFu"))),
        winmail.stream(winmail.message(winmail.binary(winmail.P_RTF, compressed_rtf.compress(RTF)[:-9]))),
        winmail.stream(winmail.message(winmail.unicode(winmail.P_BODY, ""))),
        winmail.stream(),
    ],
)
def test_without_a_body_that_can_be_read_there_is_none(octets: bytes) -> None:
    assert body(octets) == []


def test_a_body_that_is_not_wanted_is_not_read() -> None:
    found = tnef.unpack(WHOLE, with_body=False)
    assert found is not None
    assert (found.text, found.html) == ((), ())
    assert found.files == unpacked(WHOLE).files


@pytest.mark.parametrize("octets", [b"", b"x", winmail.SIGNATURE[:3], b"\0" + WHOLE, b"PK\x03\x04" + WHOLE])
def test_what_does_not_begin_as_one_is_none(octets: bytes) -> None:
    assert tnef.unpack(octets) is None


def test_a_wrong_checksum_is_overlooked() -> None:
    files = unpacked(WHOLE[:-1] + bytes([WHOLE[-1] ^ 0xFF])).files
    assert files == unpacked(WHOLE).files


def test_garbage_at_the_end_is_overlooked() -> None:
    assert unpacked(WHOLE + b"\0garbage" * 20).files == unpacked(WHOLE).files


def test_every_truncation_gives_what_came_before() -> None:
    complete = {file.name: file.content for file in unpacked(WHOLE).files}
    for end in range(len(WHOLE)):
        found = tnef.unpack(WHOLE[:end])
        if found is None:
            assert end < 6
            continue
        came = {file.name: file.content for file in found.files if file.name in complete}
        assert all(complete[name].startswith(content) for name, content in came.items()), end
        assert len(found.files) <= len(complete)


def test_every_octet_may_be_another_one() -> None:
    for at in range(len(WHOLE)):
        for value in (0x00, 0xFF, WHOLE[at] ^ 1):
            found = tnef.unpack(WHOLE[:at] + bytes([value]) + WHOLE[at + 1 :])
            assert found is None or sum(len(file.content) for file in found.files) <= 2 * len(WHOLE)


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_any_octets_behind_the_signature_are_read(octets: bytes) -> None:
    assert tnef.unpack(winmail.SIGNATURE + octets[:2] + octets) is not None or len(octets) < 2


def nested(depth: int) -> bytes:
    octets = winmail.stream(winmail.attached("a.pdf", PDF))
    for _ in range(depth):
        inner = winmail.binary(winmail.P_OBJECT, winmail.MESSAGE_IID + octets, winmail.OBJECT)
        octets = winmail.stream(winmail.attached("mail", None, inner))
    return octets


def test_mails_within_mails_are_opened_three_deep_and_then_kept_as_they_are() -> None:
    assert names(nested(3)) == ["a.pdf"]
    (kept,) = unpacked(nested(4)).files
    assert (kept.media, kept.content) == ("application/ms-tnef", winmail.stream(winmail.attached("a.pdf", PDF)))


def test_no_more_files_than_the_bound_come_out_and_that_is_said() -> None:
    found = unpacked(winmail.stream(winmail.attached("a", b"x") * 600))
    assert len(found.files) == tnef.MAX_FILES
    assert found.more is True


BILLIONS = b"\xff\xff\xff\xff"
HOSTILE = {
    "an attribute that says it is 4 GB": winmail.stream()[:-6] + BILLIONS,
    "four billion properties": winmail.stream(winmail.attribute(1, winmail.PROPERTIES, BILLIONS + bytes(100))),
    "four billion values": winmail.stream(
        winmail.attribute(1, winmail.PROPERTIES, b"\1\0\0\0\x1f\x10\x37\0" + BILLIONS + bytes(100))
    ),
    "four billion numbers": winmail.stream(
        winmail.attribute(1, winmail.PROPERTIES, b"\1\0\0\0\x03\x10\x37\0" + BILLIONS + bytes(100))
    ),
    "four billion letters of a name": winmail.stream(
        winmail.attribute(1, winmail.PROPERTIES, b"\1\0\0\0\x1f\0\x01\x80" + bytes(16) + b"\1\0\0\0" + BILLIONS)
    ),
    "two million empty attributes": winmail.stream(winmail.attribute(2, winmail.RENDERING, b"") * 2_000_000),
    "two million empty properties": winmail.stream(
        winmail.attribute(1, winmail.PROPERTIES, BILLIONS + b"\1\0\1\0" * 2_000_000)
    ),
    "two million empty values": winmail.stream(
        winmail.attribute(1, winmail.PROPERTIES, b"\1\0\0\0\x1f\x10\x37\0" + BILLIONS + bytes(8_000_000))
    ),
    "mails 300 deep": nested(300),
    "RTF that is a bomb": winmail.stream(
        winmail.message(winmail.binary(winmail.P_RTF, compressed_rtf.compress(b"{" * 200_000)))
    ),
    "RTF that says it is 4 GB": winmail.stream(
        winmail.message(winmail.binary(winmail.P_RTF, BILLIONS * 2 + b"LZFu" + bytes(1_000_000)))
    ),
    "a name of 20 MB": winmail.stream(
        winmail.attached("a" * 10_000_000, b"x", winmail.text8(0x3707, "a" * 10_000_000))
    ),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_sizes_cost_no_more_time_than_their_octets(case: str) -> None:
    started = time.monotonic()
    tnef.unpack(HOSTILE[case])
    assert time.monotonic() - started < 20  # at most half a second


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_sizes_cost_no_more_memory_than_their_octets(case: str) -> None:
    tracemalloc.start()
    tnef.unpack(HOSTILE[case])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * len(HOSTILE[case]) + 50_000_000


def test_nothing_of_the_content_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for octets in HOSTILE.values():
        tnef.unpack(octets)
    assert caplog.records == []


def test_tnefparse_sees_the_same_files_in_a_stream_that_it_can_read() -> None:
    octets = winmail.stream(
        winmail.attached("A~1.PDF", PDF, winmail.unicode(winmail.P_LONG_NAME, "a plan.pdf")),
        winmail.attached("b.png", PNG),
    )
    theirs = [(each.long_filename(), each.data) for each in TNEF(octets).attachments]
    assert theirs == [(file.name, file.content) for file in unpacked(octets).files]


@pytest.mark.parametrize(
    ("media", "name", "content", "expected"),
    [
        ("application/ms-tnef", "", b"", True),
        ("application/vnd.ms-tnef", "x", b"", True),
        ("application/octet-stream", "winmail.dat", WHOLE, True),
        ("application/octet-stream", "WINMAIL.DAT", WHOLE, True),
        ("text/plain", "winmail.dat", WHOLE, True),
        ("application/octet-stream", "ATT0001.dat", WHOLE, True),
        ("application/octet-stream", "winmail.dat", b"no", False),
        ("application/octet-stream", "a.pdf", PDF, False),
        ("image/png", "a.png", WHOLE, False),
    ],
)
def test_one_is_known_by_its_type_or_its_name_and_first_octets(
    media: str, name: str, content: bytes, expected: bool
) -> None:
    assert tnef.is_one(File(media, name, content)) is expected
