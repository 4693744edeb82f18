"""Words that are handed over without a mail."""

import pytest

from mailgate.domain.content import Content
from mailgate.domain.user import Language
from mailgate.errors import BadInput
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
        {Language.EN: "<br>" * (html.MAX_MARKS + 1)},
        {Language.DE: "<br>" * (html.MAX_MARKS - 1), Language.EN: "<br>a<br>"},
        {Language.EN: "x" * (html.MAX_HTML + 1)},
    ],
)
def test_words_that_could_not_be_kept_whole_are_refused(words: dict[Language, str]) -> None:
    with pytest.raises(BadInput, match=r"^content\.en\.html: it is over 10,485,760 letters, or .* 100,000 tags"):
        given.clean({language: content(source) for language, source in words.items()})
