"""HTML as text: what is written, how, and what isn't."""

import pytest

from mailgate.mime import html, markup

PADDING = "&zwnj;&nbsp;" * 40 + "&#847; &#8199;&shy; " * 20


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        # lists
        ("<ul><li>a<ul><li>b<li>c</ul><li>d</ul>", "- a\n  - b\n  - c\n- d"),
        ("<ol><li>a<li>b</ol>", "1. a\n2. b"),
        ('<ol start="9"><li>a<li>b<ul><li>c</ul></ol>', "9. a\n10. b\n    - c"),
        ('<ol><li value="4">a<li>b</ol>', "4. a\n5. b"),
        ('<ol type="a"><li>x<li>y</ol><ol type="I" start="4"><li>z</ol>', "a. x\nb. y\n\nIV. z"),
        ("<ul><li><p>a</p></li><li><p>b</p><p>c</p></li></ul>d", "- a\n- b\n\n  c\n\nd"),
        ("<ul><li>a<br>b<li></li><li>c</ul>", "- a\n  b\n- c"),
        ("<dl><dt>a<dd>b<dt>c<dd>d<br>e</dl>", "a\n  b\nc\n  d\n  e"),
        # quotes
        ("<p>a<blockquote>b<p>c</blockquote>d", "a\n\n> b\n>\n> c\n\nd"),
        ("<blockquote>a<blockquote>b</blockquote></blockquote>", "> a\n>\n> > b"),
        ("<blockquote><ul><li>a<br>b</ul></blockquote>", "> - a\n>   b"),
        ('<blockquote style="border:none;margin:0 0 0 40px">a</blockquote>b', "  a\n\nb"),
        ("<q>a</q> b", '"a" b'),
        # as it stands
        ("<pre>\n a\n\n  b</pre>c", " a\n\n  b\n\nc"),
        ("<blockquote><pre>a\n b</pre></blockquote>", "> a\n>  b"),
        ('<div style="white-space: pre-wrap">a\n  b</div>', "a\n  b"),
        ("<h1>a</h1>b<h2>c</h2>", "a\n\nb\n\nc"),
        # tables of data
        (
            "<table><tr><th>Item<th>CHF<tr><td>a<td>1.00<tr><td>bbbbbb<td>20</table>x",
            "Item    CHF\na       1.00\nbbbbbb  20\n\nx",
        ),
        ("<table><tr><td><p>a</p><td><p>b</p><tr><td><p>ccc</p><td><p>d</p></table>", "a    b\nccc  d"),
        ("<table><tr><td rowspan=2>a<td>b<tr><td>c<tr><td>d<td>e</table>", "a  b\n   c\nd  e"),
        ("<table><tr><td colspan=2>a long heading<tr><td>b<td>c<tr><td>d<td>e</table>", "a long heading\nb  c\nd  e"),
        ("<table><tr><td>a<br>bb<td>c<tr><td>d<td>e</table>", "a   c\nbb\nd   e"),
        ("<table><caption>T</caption><tr><td>a<td>b<tr><td>c<td>d</table>", "T\na  b\nc  d"),
        ("<table><tr><td>\u65e5\u672c<td>b<tr><td>c<td>d</table>", "\u65e5\u672c  b\nc     d"),
        ("<blockquote><table><tr><td>a<td>b<tr><td>c<td>d</table></blockquote>", "> a  b\n> c  d"),
        ("<ul><li><table><tr><td>a<td>b<tr><td>c<td>d</table></ul>", "- a  b\n  c  d"),
        # tables that arrange the page
        ("<table><tr><td><table><tr><td>a<td>b<tr><td>c<td>d</table></table>", "a  b\nc  d"),
        ("<table><tr><td>a<td>b</table>", "a\tb"),
        ('<table role="presentation"><tr><td>a<td>b<tr><td>ccc<td>d</table>', "a\tb\nccc\td"),
        (f"<table><tr><td>{'a' * 70}<td>b<tr><td>c<td>d</table>", f"{'a' * 70}\tb\nc\td"),
        ("<table><tr><td><p>a<p>b<p>c<td><ul><li>d</ul></table>", "a\n\nb\n\nc\n\n- d"),
        ("<table>a<tr><td>b<td>c<tr><td>d<td>e</table>", "a\nb\tc\nd\te"),
        # links and pictures
        ('<a href="https://a.example/">a </a>b', "a <https://a.example/> b"),
        ('<a href=" https://a.example/\nx y ">a</a>', "a <https://a.example/x%20y>"),
        ('<a href="javascript:alert(1)">a</a>', "a"),
        ('<a href="https://a.example"><img src="https://b.example/x.png"></a>', ""),
        (
            '<table><tr><td style="font-size:0"><a href="https://a.example"><img alt="Logo"></a></table>',
            "[Logo] <https://a.example>",
        ),
        ('<img alt="A picture\n\n of it"> <img alt="\U0001f600"> <img alt=" ">', "[A picture of it] \U0001f600"),
        # invisible letters
        (f"a{PADDING}b", "a b"),
        ("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"),
        ("\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f468\u200d\U0001f469\u200d\U0001f467"),
    ],
)
def test_html_is_written_so_that_people_can_read_it(source: str, expected: str) -> None:
    assert html.sanitise(source).text == expected


@pytest.mark.parametrize(
    "source",
    [
        "<head><title>x</title></head>",
        '<div style="display:none">x</div>',
        '<div style="DISPLAY : None !important; display:block">x</div>',
        '<div style="display:/* */none">x</div>',
        '<div style="visibility:hidden">x</div>',
        '<span style="mso-hide:all;font-size:0">x</span>',
        '<div style="font-size:1px;line-height:1px;color:#fff">x</div>',
        '<div style="font:0/0 a">x</div>',
        '<div style="font-size:0"><b>x</b></div>',
        '<div style="max-height:0px;overflow:hidden">x</div>',
        '<div style="max-height:0;font-size:1px"><p>x</p></div>',
        '<div style="opacity:0">x</div>',
        '<div style="opacity: 0.0">x</div>',
        "<div hidden>x</div>",
        "<div hidden><p>x</p><ul><li>x</ul><table><tr><td>x<td>x<tr><td>x<td>x</table></div>",
        '<img style="display:none" alt="x">',
        '<div style="display:none"><img alt="x"></div>',
        "<style>.lead{display:none}</style><div class='a lead'>x</div>",
        "<style>td.lead, .x { Display:None!important }</style><table><tr><td class=lead>x</table>",
        "<style>@media (max-width:600px){.lead{display:block}} .lead{display:none}</style><p class=lead>x",
        "<!--[if mso]><p>x</p><![endif]-->",
        "<!--[if gte mso 9]><xml><o:PixelsPerInch>x</o:PixelsPerInch></xml><![endif]-->",
        "<!-- x --!>",
        "<!--x",
        f"<div>{PADDING}</div>",
    ],
)
def test_what_a_mail_hides_is_not_in_its_text(source: str) -> None:
    assert html.sanitise(f"{source}").text == ""


@pytest.mark.parametrize(
    "source",
    [
        "<![if !mso]>x<![endif]>",
        "<!--[if !mso]><!-->x<!--<![endif]-->",
        "<!--[if mso | IE]><table><tr><td><![endif]-->x<!--[if mso | IE]></td></tr></table><![endif]-->",
        "<!-->x",
        "<!--->x",
        '<a style="mso-hide:all">x</a>',
        '<td style="font-size:0px"><div style="font-size:13px">x</div></td>',
        '<div style="font-size:0"><span style="font:bold 12px/1.5 Arial">x</span></div>',
        '<div style="visibility:hidden"><b style="visibility:visible">x</b></div>',
        '<div style="display:none;display:block">x</div>',
        '<div style="font-size:90%">x</div>',
        '<div style="opacity:0.9;max-height:10px;overflow:hidden">x</div>',
        '<table><tr><td style="height:0;overflow:hidden">x</table>',
        "<style>@media (max-width:600px){.a{display:none}}</style><p class=a>x",
        "<style>.a{display:none} @media screen{.a{display:block}}</style><p class=a>x",
        "<style>.a{display:none} .a{display:block}</style><p class=a>x",
        "<style>.a{display:none}</style><p class=a style='display:block'>x",
        "<style>.a .b{display:none} #a{display:none}</style><p class=b id=a>x",
    ],
)
def test_what_a_mail_shows_is_in_its_text(source: str) -> None:
    assert html.sanitise(source).text == "x"


def test_what_is_hidden_stays_hidden_in_the_html() -> None:
    source = "<style>.lead{display:none}</style><p class=lead>a</p><p hidden>b</p><i style='opacity:0;color:red'>c</i>d"
    none = 'style="display:none"'
    assert html.sanitise(source).html == f"<p {none}>a</p><p {none}>b</p><i {none}>c</i>d"


@pytest.mark.parametrize("opening", ["<div>", "<blockquote>", "<ul><li>", "<table><tr><td>", "<b>", "<dl><dd>", "<q>"])
def test_text_at_any_depth_is_there(opening: str) -> None:
    assert "deep" in html.sanitise(opening * 20_000 + "deep").text


INSIDE = "<table><tr><td>A</td><td>B</td></tr></table><ul><li>x</li></ul><a href='https://a.example'>L</a>"


@pytest.mark.parametrize("depth", [20, 199, 200, 201, 1000])
@pytest.mark.parametrize("wrapper", ["div", "font", "b", "span", "center", "section", "blockquote"])
def test_tables_lists_and_links_are_readable_within_any_number_of_wrappers(wrapper: str, depth: int) -> None:
    seen = html.sanitise(f"<{wrapper}>" * depth + INSIDE + f"</{wrapper}>" * depth)
    lines = [line.lstrip("> ") for line in seen.text.split("\n") if line.strip("> ")]
    assert lines == ["A\tB", "- x", "L <https://a.example>"]
    assert seen.links == ("https://a.example",)
    assert all(tag in seen.html for tag in ("<table>", "<li>", 'href="https://a.example"'))


@pytest.mark.parametrize("depth", [99, 100, 101, 1000])
def test_tables_lists_and_links_are_readable_within_any_number_of_tables(depth: int) -> None:
    seen = html.sanitise("<table><tr><td>" * depth + INSIDE + "</td></tr></table>" * depth + "after")
    lines = [" ".join(line.split()) for line in seen.text.split("\n") if line.strip()]
    assert lines == ["A B", "- x", "L <https://a.example>", "after"]
    assert seen.links == ("https://a.example",)


def test_each_answer_of_a_long_thread_keeps_its_link() -> None:
    answers = "".join(
        f'<div dir="ltr"><font face="Arial">Answer {n} <a href="https://x.example/{n}">Link</a><br><blockquote>'
        for n in range(100)
    )
    seen = html.sanitise(answers + "</blockquote></font></div>" * 100)
    assert seen.links == tuple(f"https://x.example/{n}" for n in range(100))
    assert seen.html.count("href=") == 100


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("<div>a</div><div>b</div>c", "a\nb\nc"),
        ("<h1>a</h1> <h2>b</h2>", "a\nb"),
        ("a<span>b</span><b>c</b>", "abc"),
        ("<div>a<p>b</div>c", "a\n\nb\n\nc"),
    ],
)
def test_what_is_left_out_leaves_its_lines(source: str, wanted: str) -> None:
    assert html.sanitise("<div>" * markup.MAX_WRAPPERS + source).text == wanted


def test_the_end_of_what_was_left_out_ends_nothing_else() -> None:
    around = "<div>" * (markup.MAX_WRAPPERS - 1) + "<b>"
    assert "<b>xy</b>" in html.sanitise(f"{around}<b>x</b>y</b>z").html
    deep = "<table><tr><td>" * markup.MAX_CONTAINERS
    assert html.sanitise(f"{deep}<table><tr><td>a</table>b<td>c").text == "a\nb\tc"


def test_indentation_never_outgrows_the_text() -> None:
    source = "<blockquote>" * 30 + "<pre>" + "x\n" * 100_000
    assert len(html.sanitise(source).text) < 4 * len(source)
    source = "<table>" + f"<tr><td>{'x' * 59}<td>y" + "<tr><td>a<td>b" * 20_000
    assert len(html.sanitise(source).text) < 4 * len(source)
    source = "<blockquote>" * 30 + "<ul>" + "<li>x" * 20_000
    assert len(html.sanitise(source).text) < 4 * len(source)
