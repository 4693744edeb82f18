import base64
import random
import time
from binascii import b2a_uu

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailgate.mime import uuencoded
from mailgate.mime.bodies import File

PDF = b"%PDF-1.7\n" + random.Random(5).randbytes(200)


def rows(content: bytes, *, backtick: bool = False) -> bytes:
    return b"".join(b2a_uu(content[at : at + 45], backtick=backtick) for at in range(0, len(content), 45))


def block(content: bytes, name: bytes = b"offer.pdf", *, backtick: bool = False) -> bytes:
    return b"begin 644 " + name + b"\n" + rows(content, backtick=backtick) + b"`\nend\n"


BASE64 = b"begin-base64 644 a.txt\n" + base64.encodebytes(PDF) + b"====\n"
OFFER = File("application/pdf", "offer.pdf", PDF)


@pytest.mark.parametrize(
    ("octets", "rest", "files"),
    [
        (b"above\n" + block(PDF) + b"below\n", b"above\nbelow\n", (OFFER,)),
        (block(PDF, backtick=True), b"", (OFFER,)),
        ((b"above\n" + block(PDF) + b"below").replace(b"\n", b"\r\n"), b"above\r\nbelow", (OFFER,)),
        (
            block(PDF) + b"between\n" + block(b"x", b"a b.txt"),
            b"between\n",
            (OFFER, File("text/plain", "a b.txt", b"x")),
        ),
        (b"above\n" + block(PDF)[: -len(b"end\n")], b"above\n", (OFFER,)),
        (b"above\n" + block(PDF)[: -len(b"`\nend\n")], b"above\n", (OFFER,)),
        (b"above\n" + block(PDF)[: -len(b"\n")], b"above\n", (OFFER,)),
        (b"above\n" + block(PDF)[: -len(b"`\nend\n")] + b"\n\n", b"above\n", (OFFER,)),
        (block(PDF).replace(b"`\n", b"\n"), b"", (OFFER,)),
        (block(b"").replace(b"644", b"0644"), b"", (File("application/pdf", "offer.pdf", b""),)),
        (block(bytes(45)).replace(b" " * 60, b""), b"", (File("application/pdf", "offer.pdf", bytes(45)),)),
        (block(b"x", "Grüße.zip".encode()), b"", (File("application/zip", "Grüße.zip", b"x"),)),
        (block(b"x", b"Gr\xfc\xdfe"), b"", (File("application/octet-stream", "Grüße", b"x"),)),
        (b"a\n" + BASE64 + b"b\n", b"a\nb\n", (File("text/plain", "a.txt", PDF),)),
        (b"a\n" + BASE64[: -len(b"====\n")], b"a\n", (File("text/plain", "a.txt", PDF),)),
    ],
)
def test_a_block_becomes_a_file_and_the_text_around_it_stays(
    octets: bytes, rest: bytes, files: tuple[File, ...]
) -> None:
    assert uuencoded.split(octets) == (rest, files)


@pytest.mark.parametrize(
    "octets",
    [
        b"begin 644 words that mean nothing\nand go on\n",
        b"Dear Ida,\nbegin 644 things at once\nTHE END\n",
        b"begin 644 x\n",
        b"begin 644 x",
        b"begin 644 x\n\n\n",
        b"begin 644\n" + rows(PDF) + b"end\n",
        b"begin at nine\n" + rows(PDF) + b"end\n",
        b" " + block(PDF),
        b"> " + block(PDF).replace(b"\n", b"\n> "),
        block(PDF).replace(b"\nend", b"\nand more words\nend"),
        block(PDF)[:-4] + b"-- \nIda Muster\n",
        b"begin 644 x\n" + b"M" + b"~" * 60 + b"\nend\n",
        b"begin 644 x\n" + rows(PDF).replace(b"M", b"MAAAAAAA", 1) + b"end\n",
        b"begin 644 x\nHELLO\n",
        b"begin-base64 644 x\nno base64\n====\n",
        b"begin-base64 644 x\nAAA\n====\n",
        b"=ybegin line=128 size=9 name=a.bin\n\x93\x9a\x9b\n=yend size=9\n",
        b"",
    ],
)
def test_what_is_no_block_to_the_letter_stays_text(octets: bytes) -> None:
    assert uuencoded.split(octets) == (octets, ())


def test_no_more_files_than_the_bound_are_taken() -> None:
    rest, files = uuencoded.split(block(b"x") * (uuencoded.MAX_FILES + 2))
    assert len(files) == uuencoded.MAX_FILES
    assert rest == block(b"x") * 2


@settings(deadline=None)
@given(st.binary(max_size=500), st.binary(max_size=100), st.booleans())
def test_what_was_encoded_comes_out_to_the_octet(content: bytes, around: bytes, backtick: bool) -> None:
    around = around.replace(b"begin", b"")
    (file,) = uuencoded.split(around + b"\n" + block(content, backtick=backtick) + around)[1]
    assert file.content == content


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from([b"begin 644 a\n", b"M", b"#0V%T\n", b"`\n", b"end", b"\n", b"\r\n", b" ", b"AAAA", b"===="])
    )
)
def test_any_text_is_split(pieces: list[bytes]) -> None:
    octets = b"".join(pieces)
    rest, files = uuencoded.split(octets)
    assert len(rest) <= len(octets)
    assert files or rest == octets


@pytest.mark.parametrize(
    "octets",
    [
        b"begin 644 x\n" * 1_000_000,
        b"begin 644 x\n" + rows(bytes(10_000_000)),
        (b"begin 644 x\n" + rows(b"x")) * 500_000,
        b"begin-base64 644 x\n" + b"AAAA\n" * 2_000_000,
        b"begin 644 x\n" + b"M" * 10_000_000,
        b"begin 644 " + b"x" * 10_000_000,
    ],
)
def test_ten_megabytes_of_anything_are_split_in_time(octets: bytes) -> None:
    started = time.monotonic()
    uuencoded.split(octets)
    assert time.monotonic() - started < 20  # some take a second
