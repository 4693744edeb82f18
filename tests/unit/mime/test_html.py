from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailgate.mime import html, markup


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("<p>a</p>", "<p>a</p>"),
        ("<p>a<script>alert(1)</script>b", "<p>ab</p>"),
        ("<title>T</title><style>p{}</style>a", "a"),
        ("<svg><script>alert(1)</script></svg>a", "a"),
        ("<!-- a --><![CDATA[b]]><?php c ?>d", "d"),
        ('<p onclick="alert(1)" class="x">a</p>', "<p>a</p>"),
        (
            '<a href="https://a.example/?x=1&amp;y=2">a</a>',
            '<a href="https://a.example/?x=1&amp;y=2" rel="noopener noreferrer">a</a>',
        ),
        ('<a href="mailto:a@b.example">a</a>', '<a href="mailto:a@b.example" rel="noopener noreferrer">a</a>'),
        ('<a href="javascript:alert(1)">a</a>', '<a rel="noopener noreferrer">a</a>'),
        ('<a href=" java\nscript:alert(1)">a</a>', '<a rel="noopener noreferrer">a</a>'),
        ('<a href="data:text/html,x">a</a>', '<a rel="noopener noreferrer">a</a>'),
        ('<a href="cid:x">a</a>', '<a rel="noopener noreferrer">a</a>'),
        ('<a href="/relative">a</a>', '<a rel="noopener noreferrer">a</a>'),
        ('<img src="cid:logo@a.example" alt="A">', '<img src="cid:logo@a.example" alt="A">'),
        ('<img src="https://a.example/x.png" alt="A">', '<img alt="A">'),
        ('<img src="//a.example/x.png">', "<img>"),
        ('<img src="data:image/png;base64,AAAA">', "<img>"),
        ('<img srcset="https://a.example/x.png 2x" lowsrc="https://a.example/y.png">', "<img>"),
        (
            '<table background="https://a.example/x.png"><tr><td>a</table>',
            "<table><tbody><tr><td>a</td></tr></tbody></table>",
        ),
        (
            '<p style="color:red;background:url(https://a.example/x.png);position:fixed">a</p>',
            '<p style="color:red">a</p>',
        ),
        ('<p style="color:u\\72l(https://a.example/)">a</p>', '<p style="">a</p>'),
        ('<form action="https://a.example"><input name="a">b</form>', "b"),
        ('<iframe src="https://a.example"></iframe><object data="x">b</object>c', "c"),
        (
            '<link rel="stylesheet" href="https://a.example"><meta http-equiv="refresh" content="0"><base href="https://a.example">a',
            "a",
        ),
        ("<b><i>a</b></i>", "<b><i>a</i></b>"),
        ("1 < 2 & 3", "1 &lt; 2 &amp; 3"),
        ("<p title='\"><script>alert(1)</script>'>a</p>", "<p>a</p>"),
        ("<p title='a &amp; \"b\"'>a</p>", '<p title="a &amp; &quot;b&quot;">a</p>'),
        (
            '<a href="https://a.example/?<b>">a</a>',
            '<a href="https://a.example/?%3Cb%3E" rel="noopener noreferrer">a</a>',
        ),
        ("a<b", "a"),
        ("", ""),
    ],
)
def test_only_what_is_safe_to_show_is_left(source: str, expected: str) -> None:
    assert html.sanitise(source).html == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a<br>b<br/><br />c", "a\nb\n\nc"),
        ("<p>a</p><p>b</p>", "a\n\nb"),
        ("<div>a</div><div>b</div>", "a\nb"),
        ("<div><div><div>a</div></div></div><div>b</div>", "a\nb"),
        ("a\n   b\t c", "a b c"),
        ("<b>a</b> <i>b</i><u>c</u>", "a bc"),
        ("<ul><li>a<li>b</ul>c", "- a\n- b\n\nc"),
        ("<table><tr><th>a<th>b<tr><td>1<td>2</table>", "a  b\n1  2"),
        ("<pre>a\n  b</pre>", "a\n  b"),
        ("<pre>a \t\n\n \n  b</pre>", "a\n\n  b"),
        (f"a &#{'9' * 5000}; <b title='&#{'0' * 5000}65'>b</b>", "a \ufffd b"),
        ("<svg>a</svg b>c", "c"),
        ("<svg>a</svg b", "a"),
        ("&lt;a&gt; &amp; &uuml;&#8364;&nbsp;b", "<a> & ü€ b"),
        ('<a href="https://a.example/">a</a>', "a <https://a.example/>"),
        ('<a href="https://a.example/">https://a.example</a>', "https://a.example"),
        ('<a href="mailto:a@b.example">a@b.example</a>', "a@b.example"),
        ('<a href="https://a.example/"><img alt="Logo"></a>', "[Logo] <https://a.example/>"),
        ("<hr>a", "---\na"),
        ("<head><title>T</title></head>a", "a"),
        ("<style>never closed", ""),
        ("<textarea>a</textarea><svg>b", "b"),
        ("1 < 2 and 3 > 2", "1 < 2 and 3 > 2"),
    ],
)
def test_html_reads_as_text(source: str, expected: str) -> None:
    assert html.sanitise(source).text == expected


def test_what_was_met_is_told() -> None:
    seen = html.sanitise(
        '<a href="https://a.example/1">x</a><a href="ftp://b.example">y</a><a href=" https://a.example/2 ">z</a>'
        '<img src="cid:one"><img src=" CID:two "><img src="http://a.example/p.png"><img src="//a.example/q.png">'
        '<table background="https://a.example/r.png">'
    )
    assert seen.links == ("https://a.example/1", "https://a.example/2")
    assert seen.cids == {"one", "two"}
    assert seen.remote == 3
    assert not seen.failed


@pytest.mark.parametrize(
    ("source", "most", "shown"),
    [
        ("a<b>c</b>d", 2, "a<b>c</b>d"),
        ("a<b>c</b>d", 1, "a<b>c</b>"),
        ("a<b>c</b>d", 0, "a"),
        ("a<b>c</b>d", -1, "a"),
        ("a &lt; b &gt; c", 1, "a &lt; b"),
        ("<table><tr><td>a<tr><td>b", 3, "<table><tbody><tr><td>a</td></tr></tbody></table>"),
    ],
)
def test_html_with_too_many_marks_is_cut_before_the_first_that_is_too_many(source: str, most: int, shown: str) -> None:
    seen = html.sanitise(source, most)
    assert (seen.html, seen.cut, seen.failed) == (shown, source.count("<") + source.count("&") > most, False)


@pytest.mark.parametrize(
    ("behind", "shown"), [("<b>" + "z" * 20, ""), ("<b>1</b><b>2</b><b>3</b>", "12"), ("y" * 100, "y" * 20)]
)
def test_html_that_is_too_long_is_cut(behind: str, shown: str) -> None:
    seen = html.sanitise("x" * (html.MAX_HTML - 20) + behind)
    assert seen.cut
    assert seen.text.lstrip("x") == shown


def test_an_element_may_have_any_number_of_attributes() -> None:
    made_up = "".join(f" {a}{b}=1" for a in "abcdef" for b in "klmnop")
    assert html.sanitise(f'<p{made_up} title="t" onclick=x class=y>a').html == '<p title="t">a</p>'


def test_all_attributes_that_may_be_shown_are_read() -> None:
    may_be_shown = {each for names in html._ATTRIBUTES.values() for each in names}
    assert may_be_shown - markup.ATTRIBUTES == {"cite"}  # never shown: the filter drops it


def test_no_nesting_is_too_deep() -> None:
    seen = html.sanitise("<div>" * 5000 + "deep" + "</div>" * 5000)
    assert seen.text == "deep"
    assert "deep" in seen.html


# -- whatever comes ----------------------------------------------------------------------------------------------------

PIECES = st.sampled_from(
    [
        *(
            "<svg>",
            "<math>",
            "<p",
            "<a href=",
            "<a/href=",
            '"',
            "'",
            ">",
            "<img src=",
            "javascript:alert(1)",
            "/",
            "=",
            " ",
        ),
        *(
            "onerror=alert(1)",
            "<style>",
            "</style>",
            "<!--",
            "-->",
            "<![CDATA[",
            "]]>",
            "<title>",
            "</title>",
            "<noscript>",
        ),
        *("<table>", "<td>", "<mtext>", "<mglyph>", "<script>", "</script>", "cid:x", "https://e.example/", 'style="'),
        *("background:url(", "&lt;", "&#0;", "&#x3c;", "\x00", "x", "<form>", "<iframe srcdoc=", "<base href=", "<b>"),
        *("</b>", "<br>", "<font color=", "\t", "``", "<template>", "<select>", "</p>", "<plaintext>", "&"),
    ]
)
ATTRIBUTES = set().union(*html._ATTRIBUTES.values()) | {"rel"}


class Watch(HTMLParser):
    """Reads the outcome as a browser would, and tells what must not be there."""

    def __init__(self) -> None:
        super().__init__()
        self.bad: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in markup.KEPT:
            self.bad.append(tag)
        self.bad.extend(
            f"{tag} {name}={value}" for name, value in attrs if not self._allowed(name, (value or "").lower())
        )

    @staticmethod
    def _allowed(name: str, value: str) -> bool:
        match name:
            case "href":
                return value.strip().startswith(("http:", "https:", "mailto:"))
            case "src":
                return value.strip().startswith("cid:")
            case "style":
                return "url(" not in value and "expression" not in value
            case _:
                return name in ATTRIBUTES


@settings(max_examples=500, deadline=None)
@given(st.lists(PIECES, max_size=40).map("".join))
def test_whatever_is_sent_nothing_unsafe_is_left(source: str) -> None:
    seen = html.sanitise(source)
    watch = Watch()
    watch.feed(seen.html)
    assert watch.bad == []
    assert not seen.failed


@pytest.mark.parametrize(
    ("text", "expected"),
    [('a\n<b> & "c"', "a\n&lt;b&gt; &amp; &quot;c&quot;"), ("", "")],
)
def test_plain_text_beside_html_is_written_as_html(text: str, expected: str) -> None:
    assert html.from_text(text) == f'<div style="white-space:pre-wrap">{expected}</div>'


def test_tokens_close_what_they_open_in_order() -> None:
    opened: list[str] = []
    for token in markup.read("<div><p><b>a<p><td><li>x</div><table><tr><td><table></b><td>").tokens:
        if token.closes:
            assert opened.pop() == token.name
        elif token.name and token.name not in markup.VOID:
            opened.append(token.name)
    assert opened == []
