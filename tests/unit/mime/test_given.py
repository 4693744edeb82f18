"""Words that are handed over without a mail."""

import pytest

from mailgate.domain.content import Content
from mailgate.domain.user import Language
from mailgate.mime import given, html


def content(source: str) -> Content:
    return Content(subject="s", text="", html=source)


def test_words_are_made_safe_with_their_links_and_notes() -> None:
    words = '<p onclick=x><a href="https://a.example">a</a><img src="https://b.example/c.png"></p>'
    found = given.clean({Language.DE: content(words)})
    assert found.content[Language.DE].html == '<p><a href="https://a.example" rel="noopener noreferrer">a</a><img></p>'
    assert found.links == ("https://a.example",)
    assert [note.code for note in found.notes] == ["remote_images"]


@pytest.mark.parametrize(
    "words",
    [
        {Language.EN: "<br>" * (html.MAX_MARKS + 1) + "z &amp; z"},
        {Language.DE: "<br>" * (html.MAX_MARKS - 1), Language.EN: "<br>a<br>z &amp; z"},
        {Language.EN: "x" * (html.MAX_HTML + 1) + "<p>z &amp; z"},
    ],
)
def test_of_html_that_is_too_much_all_words_are_kept(words: dict[Language, str]) -> None:
    found = given.clean({language: content(source) for language, source in words.items()})
    kept = found.content[Language.EN]
    assert kept.html == ""
    assert kept.text.endswith("z & z")
    assert [note.code for note in found.notes] == ["defects"]


def test_words_of_html_that_is_too_much_have_no_styles_or_titles_in_them() -> None:
    source = "<title>x</title><style>p{}</style><!-- x -->a<script>x</script>b <style>c" + "<br>" * (html.MAX_MARKS + 1)
    found = given.clean({Language.EN: content(source + "https://a.example")})
    assert " ".join(found.content[Language.EN].text.split()) == "a b c https://a.example"
    assert found.links == ("https://a.example",)
