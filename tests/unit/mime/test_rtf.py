import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailgate.mime import rtf
from mailgate.mime.rtf import Found

HEAD = rb"{\rtf1\ansi\ansicpg1252\deff0{\fonttbl{\f0\fswiss Arial;}{\f1\fswiss\fcharset204 Arial;}}"


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (HEAD + rb"Hello\par world}", "Hello\nworld"),
        (HEAD + rb"a\line b\tab c}", "a\nb\tc"),
        (HEAD + b"a\\\nb}", "a\nb"),
        (HEAD + b"one\r\nline}", "oneline"),
        (HEAD + rb"Gr\'fc\'dfe}", "Grüße"),
        (HEAD + b"Gr\xfc\xdfe}", "Grüße"),
        (HEAD + rb"\f1 \'cf\'f0\'e8\'e2\'e5\'f2 \f0 \'fc}", "Привет ü"),
        (rb"{\rtf1\ansi\ansicpg932 \'93\'fa\'96\'7b}", "日本"),
        (rb"{\rtf1\ansi\ansicpg99999 \'fc}", "ü"),
        (HEAD + rb"\u8364?5}", "€5"),
        (HEAD + rb"\uc2\u8364 EU5}", "€5"),
        (HEAD + rb"{\uc0\u8364}5}", "€5"),
        (HEAD + rb"\u-10179?\u-8704?}", "😀"),
        (HEAD + rb"\u-10179?x}", "\ufffdx"),
        (HEAD + rb"\{a\} \\ b\~c}", "{a} \\ b\u00a0c"),
        (HEAD + rb"{\*\generator Riched20;}{\info{\author X}}{\pict 89504e47}text}", "text"),
        (HEAD + rb"{\field{\*\fldinst HYPERLINK x}{\fldrslt the link}}}", "the link"),
        (HEAD + rb"{\colortbl;\red0\green0\blue255;}\cf1 blue}", "blue"),
        (HEAD + rb"\b bold\b0  not}", "bold not"),
        (rb"{\rtf1\ansi\fromtext \fbidis{\fonttbl}a < b\par}", "a < b"),
        (HEAD + rb"never closed", "never closed"),
        (HEAD + rb"closed}}}}} too often", "closed too often"),
        (b"", ""),
        (b"\\", ""),
        (b"\\'zz", "'zz"),
    ],
)
def test_the_letters_of_an_rtf_are_kept_and_nothing_else(octets: bytes, text: str) -> None:
    assert rtf.read(octets) == Found(text, html=False)


WRAPPED = rb"{\rtf1\ansi\ansicpg1252\fromhtml1 {\fonttbl{\f0 Arial;}}"


@pytest.mark.parametrize(
    ("octets", "html"),
    [
        (WRAPPED + rb"{\*\htmltag64 <p>}\htmlrtf \par\htmlrtf0 text{\*\htmltag72 </p>}}", "<p>text</p>"),
        (WRAPPED + rb"{\*\htmltag84 &lt;}\htmlrtf <\htmlrtf0 b}", "&lt;b"),
        (WRAPPED + rb"{\*\htmltag \par}{\*\htmltag64 <a>}x\par y}", "<a>x\ny"),
        (WRAPPED + rb"{\*\mhtmltag84 <img src=x>}{\*\htmltag84 <img src=\'22y\'22>}}", '<img src="y">'),
        (WRAPPED + rb"{\*\htmltag0 <style>\{a:b\}</style>}}", "<style>{a:b}</style>"),
        (WRAPPED + rb"{\htmlrtf hidden}shown}", "shown"),
    ],
)
def test_html_that_was_wrapped_is_put_together_again(octets: bytes, html: str) -> None:
    assert rtf.read(octets) == Found(html, html=True)


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_octets_are_read(octets: bytes) -> None:
    for head in (b"", HEAD, WRAPPED):
        assert rtf.read(head + octets).text.encode("utf-8") is not None  # surrogates can't be encoded


@pytest.mark.parametrize(
    "row", [b"{", b"}", b"\\", b"{\\*", b"\\u1?", b"\\'e4", b"\\uc99999999 ", b"\\f1\\'e4", b"x" * 9]
)
def test_an_rtf_of_half_a_megabyte_of_anything_is_read_in_time(row: bytes) -> None:
    started = time.monotonic()
    rtf.read(HEAD + row * (500_000 // len(row)))
    assert time.monotonic() - started < 20  # some take half a second
