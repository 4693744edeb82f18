import re
from itertools import product

import pytest

from mailgate.mime import html, links


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("see http://a.example.", ["http://a.example"]),
        ("HTTPS://A.example/X?y=1&utm_source=z#f", ["HTTPS://A.example/X?y=1&utm_source=z#f"]),
        ("(https://a.example/x)", ["https://a.example/x"]),
        ("https://a.example/wiki/X_(y)", ["https://a.example/wiki/X_(y)"]),
        ("(see https://a.example/wiki/X_(y)).", ["https://a.example/wiki/X_(y)"]),
        ("<https://a.example/x>, <mailto:a@b.example>", ["https://a.example/x", "mailto:a@b.example"]),
        ('"https://a.example/x"!', ["https://a.example/x"]),
        ("\u00abhttps://a.example/x\u00bb \u201ehttps://b.example\u201c", ["https://a.example/x", "https://b.example"]),
        ("https://a.example/ü", ["https://a.example/ü"]),
        ("https://bücher.example/?q=ä", ["https://bücher.example/?q=ä"]),
        ("http://[2001:db8::1]:8080/x", ["http://[2001:db8::1]:8080/x"]),
        ("ftp://a.example javascript:alert(1) www.a.example", []),
        ("xhttp://a.example", []),
        # Markdown
        ("[here](https://a.example/x)", ["https://a.example/x"]),
        ("[https://a.example](https://b.example)", ["https://a.example", "https://b.example"]),
        ("**https://a.example** `https://b.example` _https://c.example_", [f"https://{x}.example" for x in "abc"]),
        ("| https://a.example/x|https://b.example |", ["https://a.example/x|https://b.example"]),
        # without spaces, and with the full stops of East Asia
        ("\u8a73\u7d30\u306fhttps://a.example/x\u3092\u3054\u89a7", ["https://a.example/x"]),
        ("\u898b\u3066 https://a.example/x\u3002\u6b21", ["https://a.example/x"]),
        ("\uff08https://a.example/x\uff09\u3001https://b.example\uff01", ["https://a.example/x", "https://b.example"]),
        ("https://\u65e5\u672c.example/\u7d75", ["https://\u65e5\u672c.example/\u7d75"]),
        # in angle brackets
        ("<URL:https://a.example/x.>", ["https://a.example/x."]),
        ("<https://a.example/x.>", ["https://a.example/x."]),
        ("<https://a.example/aaa\nbbb\r\nccc> x", ["https://a.example/aaabbbccc"]),
        ("<https://a.example/aaa\nis a page", ["https://a.example/aaa"]),
        ("https://a.example/cut\u2026", ["https://a.example/cut"]),
        ("mailto:a@b.example?subject=x.", ["mailto:a@b.example?subject=x"]),
    ],
)
def test_links_are_found_in_text(text: str, expected: list[str]) -> None:
    assert links.in_text(text) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (
            'https://a.example <a href="https://b.example/?utm_source=x&amp;y=1">b</a> https://c.example.',
            ["https://a.example", "https://b.example/?utm_source=x&y=1", "https://c.example"],
        ),
        (
            '<a href="https://click.example/1">https://shop.example</a>',
            ["https://click.example/1", "https://shop.example"],
        ),
        ("https://a<wbr>.exam<b>ple</b>/x", ["https://a.example/x"]),
        ("https://a.example/x<br>y", ["https://a.example/x"]),
        ("<p>https://a.example/x</p>y", ["https://a.example/x"]),
        ('<a href=" https://a.example/a\n b ">x</a>', ["https://a.example/a%20b"]),
        ('<a href="https://a.example/x.">x</a>', ["https://a.example/x."]),
        ('<map><area href="https://a.example/1"><area href="/2"></map>', ["https://a.example/1"]),
        ('<form action="https://a.example"></form><link href="https://b.example"><base href="https://c.example">', []),
        ('<a href="MAILTO:a@b.example">x</a><a href="tel:1">y</a><a href="#top">z</a>', ["MAILTO:a@b.example"]),
        (
            '<table><tr><td><a href="https://a.example">a</a><td>x<tr><td>y<td>https://b.example</table>',
            ["https://a.example", "https://b.example"],
        ),
        ('<div hidden><a href="https://a.example">x</a>https://b.example</div>', ["https://a.example"]),
    ],
)
def test_links_of_html_stand_in_the_order_of_the_mail(source: str, expected: list[str]) -> None:
    assert list(html.sanitise(source).links) == expected


def test_each_link_stands_once_in_the_order_of_the_mail() -> None:
    assert links.collect(["https://b", "https://a", " https://b\n", "https://b", "mailto:", "http://"]) == (
        ("https://b", "https://a"),
        False,
    )


def test_tracking_parameters_and_what_else_tells_links_apart_is_kept() -> None:
    found = ("https://a.example/?utm_source=x", "https://a.example/?utm_source=y", "https://a.example/#z")
    assert links.collect(found) == (found, False)


def test_a_link_that_is_too_long_is_none() -> None:
    fits = "https://a.example/".ljust(links.MAX_LENGTH, "x")
    assert links.collect([fits, fits + "x"]) == ((fits,), False)


def test_more_than_five_hundred_links_are_cut_and_told() -> None:
    found, more = links.collect(f"https://a.example/{n}" for n in range(501))
    assert (len(found), more) == (500, True)
    assert links.collect(f"https://a.example/{n}" for n in range(500))[1] is False


def test_looking_for_a_mark_first_overlooks_no_link(monkeypatch: pytest.MonkeyPatch) -> None:
    pieces = (
        "http",
        "s",
        "\u017f",
        "HTTPS",
        "ma\u0131lto",
        "MAILTO",
        ":",
        "://",
        "<URL:",
        "a.example/",
        " ",
        "\r\n",
        ">",
    )
    bodies = ["".join(chosen) for count in range(5) for chosen in product(pieces, repeat=count)]
    found = [list(links.placed(body)) for body in bodies]
    monkeypatch.setattr(links, "_MARK", re.compile(""))  # everywhere
    assert found == [list(links.placed(body)) for body in bodies]
    assert any(found)
