import pytest

from mailgate.mime import mismatch
from mailgate.mime.mismatch import Mismatch


@pytest.mark.parametrize(
    ("shown", "target"),
    [
        ("our page", "https://evil.example/"),
        ("https://bank.example", "https://bank.example/"),
        ("https://bank.example/login", "http://BANK.example:443/other"),
        ("www.bank.example", "https://bank.example/"),
        ("bank.example", "https://www.bank.example/"),
        ("bank.example", "https://login.bank.example/"),
        ("https://login.bank.example", "https://bank.example"),
        ("Bank.Example.", "https://bank.example/"),
        ("https://bücher.example", "https://xn--bcher-kva.example/"),
        ("https://xn--bcher-kva.example", "https://BÜCHER.example/"),
        ("bank\u200b.exam\u00adple", "https://bank.example"),
        ("https://bank.example/\u2026", "https://bank.example/a/long/path"),
        ("https://bank.exa\u2026", "https://bank.example"),
        ("https://user@bank.example", "https://user@bank.example"),
        ("https://click.example/?u=https://bank.example", "https://click.example/?u=https://bank.example"),
        ("anna@bank.example", "mailto:ANNA@bank.example?subject=x"),
        ("anna@bank.example", "mailto:Anna%20Muster%20%3Canna@bank.example%3E"),
        ("anna@bank.example", "mailto:kurt@b.example,anna@bank.example"),
        ("anna@bank.example", "mailto:?to=anna@bank.example"),
        ("anna@bank.example", "https://www.bank.example/anna"),
        ("Offer.pdf", "https://drive.example/x"),
        ("README.md", "https://code.example/x"),
        ("St.Gallen", "https://map.example/x"),
        ("e.g. this", "https://a.example/x"),
        ("1.5", "https://a.example/x"),
        ("Mr.Smith and bank.example", "https://a.example/x"),
        ("", "https://a.example/x"),
    ],
)
def test_links_that_go_where_they_say_are_no_mismatch(shown: str, target: str) -> None:
    assert mismatch.find(shown, target) is None


@pytest.mark.parametrize(
    ("shown", "target", "told", "goes_to"),
    [
        ("https://bank.example", "https://evil.example/", "bank.example", "evil.example"),
        ("www.bank.example", "https://evil.example/", "www.bank.example", "evil.example"),
        ("bank.example", "https://evil.example/", "bank.example", "evil.example"),
        ("(bank.example/login)", "https://evil.example/", "bank.example", "evil.example"),
        ("Go to https://bank.example now", "https://evil.example/", "bank.example", "evil.example"),
        ("[https://bank.example]", "https://evil.example/", "bank.example", "evil.example"),
        ("(https://bank.example).", "https://evil.example/", "bank.example", "evil.example"),
        ("https://bank.example", "https://bank.example.evil.example/", "bank.example", "bank.example.evil.example"),
        ("https://bank.example", "https://notbank.example/", "bank.example", "notbank.example"),
        ("https://bank.example", "https://bank.example@evil.example/", "bank.example", "evil.example"),
        ("https://bank.example@evil.example", "https://bank.example@evil.example", "bank.example", "evil.example"),
        ("https://bank.example:x@evil.example", "https://evil.example", "bank.example", "evil.example"),
        ("https://bank.example", "https:\\\\evil.example\\@bank.example", "bank.example", "evil.example"),
        ("https://bank.example", "https:evil.example", "bank.example", "evil.example"),
        ("https://bank.example", "https://evil.example?@bank.example", "bank.example", "evil.example"),
        ("https://bank.example", "https://evil.example#@bank.example", "bank.example", "evil.example"),
        ("https://bank.example", "https://%65vil.example/", "bank.example", "evil.example"),
        ("https://bank.example", "https://192.0.2.1/", "bank.example", "192.0.2.1"),
        ("https://b\u0430nk.example", "https://bank.example/", "b\u0430nk.example", "bank.example"),
        (
            "https://bank.example",
            "https://click.news.example/?u=https://bank.example",
            "bank.example",
            "click.news.example",
        ),
        ("https://a.bank.example", "https://b.bank.example", "a.bank.example", "b.bank.example"),
        ("anna@bank.example", "mailto:eve@evil.example", "anna@bank.example", "eve@evil.example"),
        ("anna@bank.example", "mailto:eve@bank.example", "anna@bank.example", "eve@bank.example"),
        ("anna@bank.example", "https://evil.example/", "anna@bank.example", "evil.example"),
        ("www.bank.example", "mailto:eve@evil.example", "www.bank.example", "evil.example"),
        ("muster.ch", "https://evil.example/", "muster.ch", "evil.example"),
    ],
)
def test_links_that_show_one_address_and_go_to_another_are_told(
    shown: str, target: str, told: str, goes_to: str
) -> None:
    assert mismatch.find(shown, target) == Mismatch(told, goes_to)


@pytest.mark.parametrize("piece", ["www.", "https://", "a.", "@", "[", "\u200b", "https://a@"])
def test_shown_words_of_any_length_are_looked_at(piece: str) -> None:
    mismatch.find(piece * 100_000, "https://a.example/" + piece * 10_000)
    mismatch.find(piece * 100_000, "mailto:" + piece * 10_000)
