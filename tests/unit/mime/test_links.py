import pytest

from mailgate.mime import links


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("see http://a.example.", ["http://a.example"]),
        ("HTTPS://A.example/X?y=1&utm_source=z#f", ["HTTPS://A.example/X?y=1&utm_source=z#f"]),
        ("(https://a.example/x)", ["https://a.example/x"]),
        ("https://a.example/wiki/X_(y)", ["https://a.example/wiki/X_(y)"]),
        ("<https://a.example/x>, <mailto:a@b.example>", ["https://a.example/x", "mailto:a@b.example"]),
        ('"https://a.example/x"!', ["https://a.example/x"]),
        ("https://a.example/ü", ["https://a.example/ü"]),
        ("ftp://a.example javascript:alert(1) www.a.example", []),
        ("xhttp://a.example", []),
    ],
)
def test_links_are_found_in_text(text: str, expected: list[str]) -> None:
    assert links.in_text(text) == expected


def test_each_link_stands_once_in_the_order_of_the_mail() -> None:
    assert links.collect(["https://b", "https://a", "https://b", "mailto:", "http://"]) == (
        ("https://b", "https://a"),
        False,
    )


def test_more_than_five_hundred_links_are_cut_and_told() -> None:
    found, more = links.collect(f"https://a.example/{n}" for n in range(501))
    assert (len(found), more) == (500, True)
    assert links.collect(f"https://a.example/{n}" for n in range(500))[1] is False
