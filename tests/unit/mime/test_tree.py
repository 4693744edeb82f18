import logging
import re
import time
from itertools import product

import mailparser  # type: ignore[import-untyped]  # it ships no types
import pytest

from mailgate.mime import fields, tree


def parse(raw: bytes) -> tree.Part:
    return tree.parse(raw, fields.split(raw))


def nested(depth: int) -> bytes:
    return (
        b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(depth))
        + b"\r\nx"
    )


def parts(count: int) -> bytes:
    return b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * count + b"--b--\r\n"


def test_the_deepest_nesting_is_read_and_one_deeper_is_too_much() -> None:
    assert len(tree.walk(parse(nested(tree.MAX_DEPTH)))) == tree.MAX_DEPTH + 1
    with pytest.raises(tree.TooMuch, match="100 deep"):
        parse(nested(tree.MAX_DEPTH + 1))


def test_the_most_parts_are_read_and_one_more_is_too_much() -> None:
    most = tree.MAX_PARTS - 1  # and the root
    assert len(tree.walk(parse(parts(most)))) == most + 1
    with pytest.raises(tree.TooMuch, match="2000 parts"):
        parse(parts(most + 1))


@pytest.mark.parametrize(
    "raw",
    [
        nested(90).replace(b"\r\nx", b"\r\n" + b"--x\r\n" * 400_000),
        b"\r\n" * 3_100_000,
        parts(1900).replace(b"x", b"--" * 2000),
        nested(100) + (b"\r\n--x" + b" " * 5000) * 2000,
    ],
)
def test_many_lines_cost_as_much_in_deep_parts_as_anywhere(raw: bytes) -> None:
    start = time.monotonic()
    parse(raw)
    assert time.monotonic() - start < 20  # less than one


@pytest.mark.parametrize("media", ["message/rfc822", "message/delivery-status", "message/partial", "Message/X"])
def test_a_message_part_is_a_leaf_with_its_own_bytes(media: str) -> None:
    inner = b"Subject: inner\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\nx\r\n--c--"
    raw = (
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: " + media.encode() + b"\r\n\r\n" + inner
    )
    (leaf,) = parse(raw + b"\r\n--b--\r\n").parts
    assert (leaf.media, leaf.parts, leaf.content()) == (media.lower(), [], inner)


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        (b"text/html; charset=utf-8", "text/html"),
        (b"TEXT/Plain", "text/plain"),
        (b"text", "text/plain"),
        (b"nonsense", "text/plain"),
        (b"a/b/c", "text/plain"),
        (b"", "text/plain"),
        (b"image/svg+xml", "image/svg+xml"),
    ],
)
def test_a_type_is_what_is_declared_or_text(content_type: bytes, expected: str) -> None:
    assert parse(b"Content-Type: " + content_type + b"\r\n\r\nx").media == expected


def test_the_parts_of_a_digest_are_mails_unless_they_say_otherwise() -> None:
    head = b"Content-Type: multipart/digest; boundary=b\r\n\r\n"
    raw = head + b"--b\r\n\r\nSubject: x\r\n--b\r\nContent-Type: text/plain\r\n\r\ny\r\n--b--"
    assert [part.media for part in parse(raw).parts] == ["message/rfc822", "text/plain"]


def test_a_part_with_a_line_that_is_no_field_still_has_the_fields_below() -> None:
    broken = b'Content-Type: application/zip;\r\nname="a.zip"\r\nContent-Disposition : attachment\r\n\r\ncontent'
    (leaf,) = parse(b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" + broken + b"\r\n--b--\r\n").parts
    assert (leaf.fields.first("content-disposition"), leaf.content()) == (b"attachment", b"content")


def test_a_part_without_an_empty_line_keeps_its_text() -> None:
    broken = b"Content-Type: text/plain\r\nno field\r\n\r\nat all"
    (leaf,) = parse(b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" + broken + b"\r\n--b--\r\n").parts
    assert leaf.content() == b"no field\r\n\r\nat all"


@pytest.mark.parametrize("boundary", [b"boundary=b", b'boundary="b "', b"boundary*=us-ascii''b", b"boundary*0=b"])
def test_a_boundary_is_read_however_it_is_written(boundary: bytes) -> None:
    assert len(parse(b"Content-Type: multipart/mixed; " + boundary + b"\r\n\r\n--b\r\n\r\nx\r\n--b--").parts) == 1


def test_a_bare_cr_in_a_field_starts_no_other_field() -> None:
    assert parse(b"Subject: a\rContent-Type: text/html\r\n\r\nx").media == "text/plain"


def test_eight_bit_content_is_kept_to_the_byte() -> None:
    octets = bytes(range(1, 256)).replace(b"\r", b"").replace(b"\n", b"")
    assert (
        parse(b"Content-Type: application/x\r\nContent-Transfer-Encoding: binary\r\n\r\n" + octets).content() == octets
    )


def test_defects_are_named_and_sorted() -> None:
    raw = b"To: <<>\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n"
    assert tree.defects(parse(raw)) == ("AddressHeaderDefect", "CloseBoundaryNotFoundDefect")


def test_where_mail_parser_raises_the_tree_still_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_: object) -> None:
        raise AttributeError

    monkeypatch.setattr(mailparser, "MailParser", fails)
    root = parse(b"Content-Type: multipart/mixed; boundary=a\n\n--a\n\nbody\n")
    assert tree.defects(root) == ("CloseBoundaryNotFoundDefect",)
    assert [part.content() for part in tree.walk(root)[1:]] == [b"body\n"]


def test_the_parser_logs_nothing_of_a_mail(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        tree.defects(parse(b"Subject: secret\r\nContent-Type: image/secret\r\n\r\nx"))
    assert caplog.records == []


def test_whole_groups_of_base64_are_told_from_all_else() -> None:
    pieces = (b"Q", b"QUJD", b"=", b"\r\n", b"\n", b"?")
    for count in range(7):
        for chosen in product(pieces, repeat=count):
            octets = b"".join(chosen)
            letters = octets.translate(None, b"\r\n")
            whole = len(letters) % 4 == 0 and re.fullmatch(rb"[A-Za-z0-9+/]*={0,2}", letters)
            root = parse(b"Content-Transfer-Encoding: base64\r\n\r\n" + octets)
            assert tree.is_ordinary(root) == bool(whole), octets
