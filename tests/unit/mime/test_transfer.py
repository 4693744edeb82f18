import pytest

from mailgate.mime import transfer


@pytest.mark.parametrize(
    ("octets", "encoding", "expected"),
    [
        (b"a=b", b"", b"a=b"),
        (b"a=b", b"7bit", b"a=b"),
        (b"\xff", b"8BIT", b"\xff"),
        (b"YWJj", b"BASE64", b"abc"),
        (b"YWJj", b" base64 (as said)", b"abc"),
        (b"YWJj", b"=?base64?", b"abc"),
        (b"YWJj", b"(a comment) base64", b"abc"),
        (b"YWJj", b'"base64"', b"abc"),
        (b"YWI=\r\n" * 9, b"base64", b"ab" * 9),
        (b"YWJj", b"base64;", b"abc"),
        (b"\r\nYWJj  \r\n", b"base64", b"abc"),
        (b"YWI= trailing words", b"base64", b"ab"),
        (b"no base64 at all", b"base64", b"no base64 at all"),
        (b"%YWJj", b"base64", b"abc"),
        (b"Thanks!\r\n", b"base64", b"Thanks!\r\n"),
        (b"?garbage", b"base64", b"?garbage"),
        (b"?SGVsbG8", b"base64", b"Hello"),
        (b"iVBORw0KGg", b"base64", b"\x89PNG\r\n\x1a"),
        (b"... 8000 Hz audio goes here", b"base64", b"... 8000 Hz audio goes here"),
        (b"a=3Db=\r\nc", b"Quoted-Printable", b"a=bc"),
        (b"a=ZZ=", b"quoted-printable", b"a=ZZ"),
        (b"begin 644 x\r\n#0V%T\r\n`\r\nend\r\n", b"x-uuencode", b"Cat"),
        (b"no begin", b"uuencode", b"no begin"),
        (b"a", b"x-unheard-of", b"a"),
    ],
)
def test_an_encoding_is_undone_and_an_unknown_one_left_alone(octets: bytes, encoding: bytes, expected: bytes) -> None:
    assert transfer.decode(octets, encoding) == expected
