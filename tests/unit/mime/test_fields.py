import pytest

from mailgate.mime import fields


@pytest.mark.parametrize(
    ("raw", "expected", "body"),
    [
        (b"A: 1\r\nB: 2\r\n\r\nbody", [("a", b"1"), ("b", b"2")], b"body"),
        (b"A: 1\nB: 2\n\nbody", [("a", b"1"), ("b", b"2")], b"body"),
        (b"A: 1\r\n two\r\n\tthree\r\n\r\nbody", [("a", b"1 two three")], b"body"),
        (b"Subject : old\r\nTo: x\r\n\r\nbody", [("subject", b"old"), ("to", b"x")], b"body"),
        (b"From a@b Mon Jan 1\r\nA: 1\r\n\r\nbody", [("a", b"1")], b"body"),
        (b"A: 1\r\nno field\r\nSubject: s\r\n\r\nbody", [("a", b"1"), ("subject", b"s")], b"body"),
        (b"From: a\r\nno field\r\n , b\r\nTo: c\r\n\r\n", [("from", b"a"), ("to", b"c")], b""),
        (b"From: a\r\nno field\r\n , b\r\n\r\n", [("from", b"a")], b"no field\r\n , b\r\n\r\n"),
        (b"A: 1\r\nThe body: at once\r\n\r\nmore", [("a", b"1")], b"The body: at once\r\n\r\nmore"),
        (b"no header\r\n\r\nat all", [], b"no header\r\n\r\nat all"),
        (b"\r\nbody", [], b"body"),
        (b"A: 1", [("a", b"1")], b""),
        (b"A: 1\r\nno field\r\nX-Mailer: m\r\n\r\nb", [("a", b"1"), ("x-mailer", b"m")], b"b"),
        (b"A: 1\r\nDear Bob\r\nNote: call\r\n\r\nb", [("a", b"1")], b"Dear Bob\r\nNote: call\r\n\r\nb"),
        (b"Received: a\r\nby b; now\r\n\r\nbody", [("received", b"a")], b"body"),
        (b"A: 1\r\nX-M\xfc: 2\r\nb: 3\r\n\r\nbody", [("a", b"1"), ("b", b"3")], b"body"),
        (b": nameless\r\nTo: x\r\n\r\n", [("to", b"x")], b""),
        (b' boundary="b"\r\n\r\nbody', [], b"body"),
        (b"\tname=a.pdf\r\nTo: x\r\n\r\nbody", [("to", b"x")], b"body"),
        (b" two words = not\r\n\r\nbody", [], b" two words = not\r\n\r\nbody"),
        (b"A: 1\r\nContent-Ty>\r\n\r\nbody", [("a", b"1")], b"body"),
        (b"A: 1\r\nContent-wise good\r\n\r\nb", [("a", b"1")], b"Content-wise good\r\n\r\nb"),
        (b"", [], b""),
    ],
)
def test_a_header_is_split_and_the_body_found(raw: bytes, expected: list[tuple[str, bytes]], body: bytes) -> None:
    split = fields.split(raw)
    assert [(name, split.first(name)) for name, _ in split.items] == expected
    assert raw[split.body :] == body


def test_all_fields_of_a_name_are_found_in_order() -> None:
    assert fields.split(b"To: a\r\nX: y\r\nTO: b\r\n\r\n").all("to") == [b"a", b"b"]


def test_the_body_behind_an_endless_header_is_found() -> None:
    raw = b"X: " + b"y" * (fields.MAX_BYTES + 1000) + b"\r\n\r\nbody"
    assert raw[fields.split(raw).body :] == b"body"


def test_a_header_of_more_than_a_mebibyte_is_large() -> None:
    assert fields.split(b"X: " + b"y" * fields.LARGE_BYTES + b"\r\n\r\n").large
    assert fields.split(b"X: y\r\n" * (fields.LARGE_LINES + 1) + b"\r\n").large
    assert not fields.split(b"X: y\r\n" * 1000 + b"\r\n").large
