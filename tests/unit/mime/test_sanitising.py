"""What must not get through: tricks of those who want to run or load something where a mail is shown."""

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailgate.mime import html, markup

ATTRIBUTES = set().union(*html._ATTRIBUTES.values()) - {"cite"} | {"rel"}
CLOBBERING = {"id", "name", "class"}
BAD_STYLE = re.compile(r"url|expression|import|image-set|behavior|binding|position|z-index|javascript|[\\<>@{}]|/\*")


class Strict(HTMLParser):
    """Reads what was made safe, and tells everything that isn't on the lists."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.bad: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in markup.KEPT:
            self.bad.append(f"<{tag}>")
        if tag not in markup.VOID:
            self.open.append(tag)
        self.bad.extend(f"<{tag} {name}={value}>" for name, value in attrs if not self._allowed(tag, name, value or ""))
        if tag == "a" and dict(attrs).get("rel") != "noopener noreferrer":
            self.bad.append("a link that tells where from")

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.bad.append(f"</{tag}>")

    def handle_comment(self, data: str) -> None:
        self.bad.append(f"<!--{data}-->")

    def handle_decl(self, decl: str) -> None:
        self.bad.append(f"<!{decl}>")

    def handle_pi(self, data: str) -> None:
        self.bad.append(f"<?{data}>")

    def unknown_decl(self, data: str) -> None:
        self.bad.append(f"<![{data}]>")

    @staticmethod
    def _allowed(tag: str, name: str, value: str) -> bool:
        told = value.strip().lower()
        match name:
            case "href":
                return tag == "a" and told.startswith(("http:", "https:", "mailto:"))
            case "src":
                return tag == "img" and told.startswith("cid:")
            case "style":
                return not BAD_STYLE.search(told)
            case _:
                return name in ATTRIBUTES - CLOBBERING and not name.startswith("on")


def faults(safe: str) -> list[str]:
    watch = Strict()
    watch.feed(safe)
    watch.close()
    return watch.bad + watch.open


RUNS = [
    # elements that run, load, ask or take over
    "<script>RUN</script>",
    "<script src=//e.example/x.js></script>",
    "<scr<script>ipt>RUN</scr</script>ipt>",
    "<script/x>RUN</script >",
    "<iframe srcdoc='&lt;script&gt;RUN&lt;/script&gt;'></iframe>",
    "<iframe src=javascript:RUN>",
    "<frameset><frame src=javascript:RUN></frameset>",
    "<object data='data:text/html,<script>RUN</script>'><embed src=javascript:RUN></object>",
    "<applet code=RUN></applet><portal src=//e.example></portal>",
    "<meta http-equiv=refresh content='0;url=javascript:RUN'>",
    '<meta http-equiv=Content-Security-Policy content="img-src *">',
    "<base href='javascript:RUN//'><a href='/x'>x</a>",
    "<base target=_top><a target=_top href='https://a.example'>x</a>",
    "<link rel=stylesheet href=//e.example/x.css><link rel=import href=data:text/html,RUN>",
    "<form action=javascript:RUN><button formaction=javascript:RUN>x</button><input type=image src=//e.example></form>",
    "<isindex action=javascript:RUN type=image><keygen autofocus onfocus=RUN>",
    "<dialog open>x</dialog><details open ontoggle=RUN>x</details>",
    "<marquee onstart=RUN>x</marquee><bgsound src=javascript:RUN><layer src=//e.example></layer>",
    "<audio src=//e.example autoplay></audio><video poster=//e.example><source onerror=RUN></video>",
    "<slot name=x></slot><template shadowrootmode=open><script>RUN</script></template>",
    "<x-evil onclick=RUN>x</x-evil><x:script xmlns:x='http://www.w3.org/1999/xhtml'>RUN</x:script>",
    # handlers
    "<img src=x onerror=RUN>",
    "<img/src=x/onerror=RUN//>",
    "<img src=x\nonerror\n=\nRUN>",
    "<img src='x'onerror='RUN'>",
    "<img \x00src=x onerror=RUN>",
    "<img src=`x` onerror=`RUN`>",
    "<image src=x onerror=RUN>",
    "<b/onmouseover=RUN/>x</b><p =x onclick=RUN>x</p><p \" onclick=RUN>x</p><p ' onclick=RUN '>x</p>",
    "<body onload=RUN><html onclick=RUN>",
    "<a title='x\" onclick=RUN x=\"'>x</a>",
    # targets
    *(
        f'<a href="{target}">x</a>'
        for target in [
            "javascript:RUN",
            "JaVaScRiPt:RUN",
            " \x01javascript:RUN",
            "java\tscript:RUN",
            "java\nscript:RUN",
            "java&#9;script:RUN",
            "java&Tab;script&colon;RUN",
            "&#106;&#97;vascript:RUN",
            "&#x6A&#x61vascript:RUN",
            "&#0000000000000000000000000000000106;avascript:RUN",
            "jav   ascript:RUN",
            "\u00a0javascript:RUN",
            "\u2028javascript:RUN",
            "java\x00script:RUN",
            "javascript&#00058;RUN",
            "vbscript:RUN",
            "livescript:RUN",
            "data:text/html,<script>RUN</script>",
            "data:text/html;base64,PHNjcmlwdD4=",
            "blob:https://e.example/x",
            "file:///etc/passwd",
            "view-source:https://e.example",
            "ms-word:ofe|u|https://e.example/x.docm",
            "search-ms:query=x",
            "cid:x",
            "//e.example",
            "/x",
            "?x",
            "#x",
            "\\\\e.example\\x",
            "about:blank",
            'https&colon;//e.example" onclick="RUN',
        ]
    ),
    "<a href=javascript:RUN href=https://a.example>x</a>",
    "<a xlink:href=javascript:RUN xml:base=javascript:RUN>x</a>",
    "<a ping=//e.example download href=https://a.example>x</a>",
    "<q cite=javascript:RUN>x</q><blockquote cite=javascript:RUN>x</blockquote><del cite=javascript:RUN>x</del>",
    "<table background=javascript:RUN><td background=//e.example>x</table>",
    "<img src=javascript:RUN><img src=data:image/svg+xml,RUN><img src=//e.example><img srcset='//e.example 1x'>",
    "<img dynsrc=//e.example lowsrc=//e.example longdesc=//e.example usemap=#x>",
    "<img src='cid:x\" onerror=\"RUN'><img src=\"cid:x' onerror='RUN\"><img src='cid:x y'>",
    # styles
    *(
        f'<p style="{style}">x</p>'
        for style in [
            "background:url(//e.example)",
            "background:URL (//e.example)",
            "background:u\\rl(//e.example)",
            "background:\\75\\72\\6c(//e.example)",
            "background:u/**/rl(//e.example)",
            "color:red;b/**/ackground:url(//e.example)",
            "font-family:x;background-image:url('//e.example')",
            "list-style:url(//e.example)",
            "list-style-type:url(//e.example)",
            "width:expression(RUN)",
            "width:exp/**/ression(RUN)",
            "width:\uff45xpression(RUN)",
            "color:red;@import '//e.example'",
            "@import '//e.example'",
            "behavior:url(#default#time2)",
            "-moz-binding:url(//e.example)",
            "position:fixed;top:0;left:0;width:100%;height:100%;z-index:9",
            "content:url(//e.example)",
            "cursor:url(//e.example),auto",
            "background:image-set('//e.example' 1x)",
            "border-image:url(//e.example)",
            "border:1px solid;filter:url(//e.example)",
            "font-family:'</p><script>RUN</script>'",
            "font-family:x&quot;&gt;&lt;script&gt;RUN",
            "color:red}</style><script>RUN</script>",
            "color:var(--x);--x:url(//e.example)",
            "font:1px attr(href);src:url(//e.example)",
        ]
    ),
    "<style>@import '//e.example';p{background:url(//e.example)}</style>",
    "<style><img title='</style><img src=x onerror=RUN>'>",
    # what parsers read in different ways
    "<svg><script>RUN</script></svg>",
    "<svg/onload=RUN>",
    "<svg><a xlink:href=javascript:RUN><text>x</text></a></svg>",
    "<svg><animate attributeName=href values=javascript:RUN /><a id=x><text>x</text></a></svg>",
    "<svg><set attributeName=onmouseover to=RUN /></svg>",
    "<svg><use href='data:image/svg+xml,RUN#x'/></svg>",
    "<svg><foreignObject><iframe src=javascript:RUN></foreignObject></svg>",
    "<svg></p><style><a id='</style><img src=1 onerror=RUN>'>",
    "<svg><desc><noscript><p title='</noscript><img src=x onerror=RUN>'>",
    "<svg><![CDATA[><img src='x]]><img src=x onerror=RUN>'></svg>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=RUN&gt;'>",
    "<math><annotation-xml encoding=text/html><img src=x onerror=RUN></annotation-xml></math>",
    "<math><mi xlink:href=javascript:RUN>x</mi><maction actiontype='statusline#x' xlink:href=javascript:RUN>x</math>",
    "<form><math><mtext></form><form><mglyph><svg><mtext><style><path id='</style><img onerror=RUN src>'>",
    "<math><mtext><h1><a><h6></a></h6><mglyph><svg><mtext><style><a title='</style><img src onerror=RUN>'>",
    "<noscript><p title='</noscript><img src=x onerror=RUN>'>",
    "<noembed><p title='</noembed><img src=x onerror=RUN>'>",
    "<noframes><p title='</noframes><img src=x onerror=RUN>'>",
    "<textarea><p title='</textarea><img src=x onerror=RUN>'>",
    "<title><p title='</title><img src=x onerror=RUN>'>",
    "<xmp><p title='</xmp><img src=x onerror=RUN>'>",
    "<iframe><p title='</iframe><img src=x onerror=RUN>'>",
    "<select><template><img src=x onerror=RUN></template></select>",
    "<template><p title='</template><img src=x onerror=RUN>'>",
    "<plaintext><img src=x onerror=RUN>",
    "<listing>&lt;img src=x onerror=RUN&gt;</listing><pre>&lt;img src=x onerror=RUN&gt;</pre>",
    "<table><caption><svg><td><img src=x onerror=RUN>",
    "<p><table><p><img src=x onerror=RUN></table></p>",
    "<!-- <img src='--><img src=x onerror=RUN>'>",
    "<!--><img src=x onerror=RUN>-->",
    "<!---><img src=x onerror=RUN>-->",
    "<!-- --!><img src=x onerror=RUN>-->",
    "<!-- x <img src=x onerror=RUN>",
    "<![CDATA[<img src=x onerror=RUN>]]>",
    "<?php <img src=x onerror=RUN> ?>",
    "<% <img src=x onerror=RUN> %>",
    '<! foo="><script>RUN</script>">',
    '</ foo="><script>RUN</script>">',
    "<!DOCTYPE x [<!ENTITY y '<script>RUN</script>'>]>&y;",
    "<!--[if gte IE 4]><script>RUN</script><![endif]-->",
    "<![if true]><script>RUN</script><![endif]>",
    "<x '=\"foo\"><x foo='><img src=x onerror=RUN>'>",
    "<div <img src=x onerror=RUN>>",
    "<<img src=x onerror=RUN>>",
    "<img src=x onerror=RUN",
    "<a href='https://a.example/\"><img src=x onerror=RUN>'>x</a>",
    "<p title='&quot;&gt;&lt;img src=x onerror=RUN&gt;'>x</p>",
    "&lt;script&gt;RUN&lt;/script&gt;",
    "\xbcscript\xbeRUN\xbc/script\xbe",
    "+ADw-script+AD4-RUN+ADw-/script+AD4-",
    "<\x00script>RUN</script>",
    "<script\x00>RUN</script\x00>",
    "<sc\x00ript>RUN</sc\x00ript>",
    "<\u017fcript>RUN</\u017fcript>",
    "<img src=x\x0bonerror=RUN><img\x0csrc=x\x0conerror=RUN>",
    "\ufeff<script>RUN</script>\u2028<img src=x onerror=RUN>",
    "&Tab;\ufeff&NewLine;\ufeff<b>x</b>",
    # names that scripts of the page could take for their own
    "<img name=cookie id=body><a id=location name=getElementById class=fixed>x</a><p slot=x is=y data-x=z>x</p>",
]


@pytest.mark.parametrize("source", RUNS)
def test_nothing_that_runs_or_loads_gets_through(source: str) -> None:
    for text in (source, f"<p>{source}</p>", f"<table><tr>{source}", f'<div title="{source}">', source * 3):
        assert faults(html.sanitise(text).html) == []


def test_the_check_finds_what_it_must() -> None:
    kinds = [
        *("<script>x</script>", "<p onclick=x>x</p>", "<a href='javascript:x' rel='noopener noreferrer'>x</a>", "<p>"),
        *("<a href='https://a.example'>x</a>", "<img src='https://a.example'>", "<p style='position:fixed'>x</p>"),
        *(
            "<p id=x>x</p>",
            "<!-- x -->",
            "<!doctype x>",
            "<?x>",
            "</p>",
            "<b><i>x</b></i>",
            "<p style='a:url(x)'>x</p>",
        ),
    ]
    assert [kind for kind in kinds if not faults(kind)] == []


@pytest.mark.parametrize("source", RUNS)
def test_making_safe_html_safe_changes_nothing(source: str) -> None:
    for text in (source, *(source + other for other in RUNS)):
        once = html.sanitise(text).html
        assert html.sanitise(once).html == once


FRAGMENTS = [
    *RUNS,
    *("<table>", "<tr>", "<td>", "</table>", "<p>", "</p>", "<b>", "</b>", "<a href='https://a.example'>", "</a>"),
    *(
        "<ul>",
        "<li>",
        "</ul>",
        "<svg>",
        "</svg>",
        "<math>",
        "<style>",
        "</style>",
        "<title>",
        "<!--",
        "-->",
        "<![CDATA[",
    ),
    *(
        "]]>",
        "<select>",
        "<template>",
        "<form>",
        "<noscript>",
        "</noscript>",
        "'",
        '"',
        "<",
        ">",
        "&",
        "&#",
        "&lt;",
        "=",
        " ",
    ),
    *(
        "x",
        "\u00a0",
        "\x00",
        "<pre>",
        "<h1>",
        "<font>",
        "<blockquote>",
        "<div hidden>",
        "</div>",
        "<p style='",
        "<caption>",
    ),
]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.text(max_size=5)), max_size=25).map("".join))
def test_no_mixture_of_tricks_gets_through(source: str) -> None:
    seen = html.sanitise(source)
    assert not seen.failed
    assert faults(seen.html) == []


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="<>/!-=\"'& abpisvgtdr;:#\x00\u00a0[]", max_size=80))
def test_no_mixture_of_letters_gets_through(source: str) -> None:
    assert faults(html.sanitise(source).html) == []


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ('<img src="https://a.example/1.png">', 1),
        ('<img src="https://a.example/1.png"><img src=" HTTPS://a.example/2.png"><img src="//a.example/3">', 3),
        ('<img src="https://a.example/1.png"><img src="https://a.example/1.png">', 1),
        ('<img src="https://a.example/pixel.gif?u=1" width="1" height="1">', 1),
        ('<img style="display:none" src="https://a.example/1.png">', 1),
        ('<img srcset="https://a.example/1.png 1x, https://a.example/2.png 2x" src="https://a.example/1.png">', 1),
        ('<img src="cid:x" srcset="cid:y, https://a.example/2.png 2x">', 1),
        ('<picture><source srcset="https://a.example/1.webp"><img src="https://a.example/1.png"></picture>', 2),
        ('<image src="https://a.example/1.png">', 1),
        ('<svg><image href="https://a.example/1.png"/><image xlink:href="https://a.example/2.png"/></svg>', 2),
        ('<video poster="https://a.example/1.png"></video>', 1),
        ('<noscript><img src="https://a.example/1.png"></noscript>', 1),
        ('<input type="image" src="https://a.example/1.png">', 1),
        ('<body background="https://a.example/1.png"><table background="https://a.example/2.png">', 2),
        ('<td background="https://a.example/1.png" style="background:url(\'https://a.example/1.png\')">', 1),
        ('<p style="background-image: URL( &quot;//a.example/1.png&quot; ), url(https://a.example/2.png)">', 2),
        ("<style>p{background:url(https://a.example/1.png)} @import 'https://a.example/x.css';</style>", 2),
        ('<link rel="stylesheet" href="https://a.example/x.css"><link rel="icon" href="https://a.example/i">', 2),
        ('<link rel="canonical" href="https://a.example/"><a href="https://a.example/">x</a>', 0),
        ('<img src="cid:x"><img src="data:image/png;base64,AA"><img src="1.png"><img>', 0),
        ('<!--[if mso]><v:image src="https://a.example/1.png"/><img src="https://a.example/2.png"><![endif]-->', 0),
        ("url(https://a.example/1.png)", 0),
    ],
)
def test_what_would_be_loaded_from_elsewhere_is_counted_and_not_loaded(source: str, count: int) -> None:
    seen = html.sanitise(source)
    assert seen.remote == count
    assert faults(seen.html) == []


def test_pictures_of_the_mail_stay_and_those_within_addresses_go() -> None:
    seen = html.sanitise('<img src="cid:a@b" alt="A"><img src="data:image/png;base64,AAAA" alt="B">')
    assert seen.html == '<img src="cid:a@b" alt="A"><img alt="B">'
    assert seen.text == "[A][B]"
    assert seen.cids == {"a@b"}


def test_a_picture_that_is_hidden_is_not_shown() -> None:
    source = (
        '<img src="cid:a"><img src="cid:b" hidden><div style="display:none"><p><img src="cid:c"></div><img src="cid:d">'
    )
    assert html.sanitise(source).cids == {"a", "d"}


def test_attributes_of_absurd_length_are_left_out() -> None:
    long = "x" * (html.MAX_VALUE + 1)
    assert html.sanitise(f'<p title="{long}" lang="de">a</p>').html == '<p lang="de">a</p>'


@pytest.mark.parametrize("letters", ["\u00a0", "&amp;", "\u200c\u00a0", ">", "&nbsp;x"])
def test_long_runs_of_letters_come_through_whole(letters: str) -> None:
    seen = html.sanitise(letters * 50_000)
    assert seen.html.count(html.sanitise(f"x{letters}x").html[1:-1]) == 50_000
    assert "<!" not in seen.html
