"""Who wrote a mail: the one mailbox of the one From field, or nobody."""

import time
from base64 import b64encode
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mailgate.domain.address import fold
from mailgate.domain.author import MAX_TOKENS, read_author
from mailgate.domain.header import split, unfold
from mailgate.errors import BadInput, Reason, Refused

ANNA = "anna@legit.test"
CORPUS = Path(__file__).parents[4] / "shared" / "corpus" / "rspamd"


def author_of(block: bytes) -> str:
    return read_author(split(block + b"\r\n\r\nFrom: body@attack.test\r\n"))


def refusal_of(block: bytes) -> Reason:
    with pytest.raises(Refused) as refusal:
        author_of(block)
    return refusal.value.reason


def encoded(text: str) -> bytes:
    return b"=?utf-8?B?" + b64encode(text.encode()) + b"?="


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b" anna@legit.test", id="a bare address"),
        pytest.param(b"anna@legit.test", id="no space after the colon"),
        pytest.param(b" \t anna@legit.test \t", id="white space around"),
        pytest.param(b" <anna@legit.test>", id="angle brackets only"),
        pytest.param(b" < anna@legit.test >", id="white space in the angle brackets"),
        pytest.param(b" Anna Muster <anna@legit.test>", id="a plain name"),
        pytest.param(b" Anna<anna@legit.test>", id="no space before the angle bracket"),
        pytest.param(b" Anna M. Muster <anna@legit.test>", id="a dotted name"),
        pytest.param(b" Dr. A. ... Muster <anna@legit.test>", id="many dots"),
        pytest.param(b' "Muster, Anna" <anna@legit.test>', id="a quoted name"),
        pytest.param(b' "Anna \\"A\\" \\\\ Muster" <anna@legit.test>', id="quotes and backslashes in quotes"),
        pytest.param(b' Anna "M." Muster <anna@legit.test>', id="quotes in the middle"),
        pytest.param(b' Anna" M. "Muster <anna@legit.test>', id="quotes in the middle without space"),
        pytest.param(b' "" <anna@legit.test>', id="an empty quoted name"),
        pytest.param(b' "bob@attack.test" <anna@legit.test>', id="another address in quotes is a name"),
        pytest.param(b' "<bob@attack.test>," <anna@legit.test>', id="specials in quotes are a name"),
        pytest.param(b" " + encoded("Mäx (x) <b@attack.test>,") + b" <anna@legit.test>", id="an encoded name"),
        pytest.param(b" =?iso-8859-1?Q?M=FCller?= =?utf-8?q?=2C?= <anna@legit.test>", id="two encoded words"),
        pytest.param(b" =?utf-8?q?Anna_(Muster)?= <anna@legit.test>", id="an encoded word with a whole comment in it"),
        pytest.param(b' "=?utf-8?q?Muster,_Anna?=" <anna@legit.test>', id="an encoded word in quotes"),
        pytest.param(b" =?x?y?broken <anna@legit.test>", id="a broken encoded word is a name"),
        pytest.param(" Änna Müller <anna@legit.test>".encode(), id="a raw UTF-8 name"),
        pytest.param(b" \xc4nna M\xfcller <anna@legit.test>", id="a raw latin-1 name"),
        pytest.param(b' "M\xfcller, \xc4nna" <anna@legit.test>', id="a raw latin-1 name in quotes"),
        pytest.param(b" \xff\xfe\x80 <anna@legit.test>", id="a name that is no text"),
        pytest.param(" \u202eannA\u200b <anna@legit.test>".encode(), id="bidi and zero-width in the name"),
        pytest.param(b" anna@legit.test (Anna)", id="a comment after"),
        pytest.param(b" (Anna) anna@legit.test", id="a comment before"),
        pytest.param(b" Anna (x) Muster <anna@legit.test> (y) (z)", id="comments in the name and after"),
        pytest.param(b" anna@legit.test (a (b \\) (c)) <x@attack.test>)", id="nested and escaped comments"),
        pytest.param(b" anna@legit.test (\xe4)", id="8-bit in a comment"),
        pytest.param(b" anna@legit.test <anna@legit.test>", id="the address as its own name"),
        pytest.param(b" Anna@LEGIT.test <anna@legit.test>", id="the address as its own name, other case"),
        pytest.param(b" (x) anna@legit.test (y) <anna@legit.test>", id="the same with comments"),
        pytest.param(b" ANNA@Legit.Test", id="case"),
        pytest.param(b" anna@legit.test.", id="the dot of the root"),
        pytest.param(b' "anna"@legit.test', id="needless quotes"),
        pytest.param(b"\r\n anna@legit.test", id="folded before the value"),
        pytest.param(b" Anna\r\n Muster\r\n\t<anna@legit.test>\r\n ", id="folded in the name"),
        pytest.param(b" Anna <\r\n anna@legit.test\r\n >", id="folded in the angle brackets"),
        pytest.param(b' "Anna\r\n Muster" <anna@legit.test> (a\r\n b)', id="folded in quotes and comments"),
    ],
)
def test_the_usual_spellings_of_an_author_are_read(value: bytes) -> None:
    assert author_of(b"To: x@attack.test\r\nFrom:" + value) == ANNA
    assert author_of(b"fRoM:" + value + b"\r\nTo: x@attack.test") == ANNA


@pytest.mark.parametrize(
    ("value", "author"),
    [
        pytest.param(b'"b@legit.test" <x@attack.test>', "x@attack.test", id="the address, not the name, is the author"),
        pytest.param(encoded("b@legit.test") + b" <x@attack.test>", "x@attack.test", id="nor the encoded name"),
        pytest.param('"\u202ebob" <x@attack.test>'.encode(), "x@attack.test", id="nor a reversed name"),
        pytest.param(b'"b@legit.test"@attack.test', '"b@legit.test"@attack.test', id="a quoted local part"),
        pytest.param(b'<"a\\"@legit.test"@attack.test>', '"a\\"@legit.test"@attack.test', id="a quote in it"),
        pytest.param(b"b@xn--legt-5qa.test", "b@xn--legt-5qa.test", id="a lookalike is another domain"),
        pytest.param("b@legít.test".encode(), "b@xn--legt-xpa.test", id="in Unicode too"),
        pytest.param(b"b@legit.test.attack.test", "b@legit.test.attack.test", id="a domain that starts like ours"),
        pytest.param(b"b@LEGIT.test.", "b@legit.test", id="case and the last dot say nothing"),
        pytest.param("groß@faß.example".encode(), "groß@xn--fa-hia.example", id="an address in Unicode"),
        pytest.param(b"o'hara+crm=x@legit.test", "o'hara+crm=x@legit.test", id="unusual atoms"),
        pytest.param(b"anna@[192.0.2.1]", "anna@[192.0.2.1]", id="an address literal"),
        pytest.param(b"A <anna@[IPv6:2001:db8::1]>", "anna@[ipv6:2001:db8::1]", id="of version 6"),
        pytest.param(b"root@localhost", "root@localhost", id="a host without domain"),
    ],
)
def test_the_author_is_the_mailbox_and_nothing_that_looks_like_one(value: bytes, author: str) -> None:
    assert author_of(b"From: " + value) == author


AMBIGUOUS_BLOCKS = [
    # the table "Who is the sender?"
    pytest.param(b"From: first@attack.test\r\nFrom: b@legit.test", id="two From fields"),
    pytest.param(b"From: first@attack.test\r\nFrom : b@legit.test", id="a second From with a space"),
    pytest.param(b"From\r\n : first@attack.test", id="a From folded before its colon, first in the header"),
    pytest.param(b"From: admin@legit.test <x@attack.test>", id="another address as unquoted name"),
    pytest.param(
        b"From: " + encoded('"<admin@legit.test>"') + b",<second@attack.test>", id="encoded word and a mailbox"
    ),
    pytest.param(
        b'From: =?x?q?"?= <b@legit.test> =?x?q?"?= <a@attack.test>', id="encoded words that open and close a quote"
    ),
    pytest.param(
        b"From: =?x?q?(?=;<b@legit.test> =?x?q?)?= <a@attack.test>", id="encoded words that do so to a comment"
    ),
    pytest.param(b"From: (=?x?q?)?= <b@legit.test>) <a@attack.test>", id="an encoded word that closes a comment"),
    pytest.param(b"From: =?x?q?<b@legit.test>?=", id="an address in an encoded word, alone"),
    pytest.param(b"From: <@attack.test,@any.test:admin@legit.test>", id="source route"),
    pytest.param(b"From: <admin@legit.test>\\,<second@attack.test>", id="an escaped comma"),
    pytest.param(b"From: <any@attack.test>admin@legit.test", id="an address after the angle brackets"),
    pytest.param(b"From: <admin@legit.test>\0@attack.test", id="NUL after the angle brackets"),
    pytest.param(b"From: <admin@legit.test@attack.test>", id="two at signs"),
    pytest.param(b"From: <" + encoded("admin@legit.test") + b"@attack.test>\0", id="encoded local part with NUL"),
    pytest.param(b"From: G: admin@legit.test, x@attack.test;", id="a group"),
    # 22 to 26
    pytest.param(b"From: <a@attack.test>\r\nfrom: <b@legit.test>", id="22 two From fields, other case"),
    pytest.param(b"From: <b@legit.test>\r\nTo: x@x.test\r\nFROM: <a@attack.test>", id="22 the other order"),
    pytest.param(b"From: anna@legit.test\r\nFrom: anna@legit.test", id="22 twice the same"),
    pytest.param(b"From : <b@legit.test>", id="23 a space before the colon, alone"),
    pytest.param(b"From\t: <b@legit.test>\r\nFrom: <a@attack.test>", id="23 a tab before the colon, above"),
    pytest.param(b"To: x@x.test\r\nFrom\r\n : <b@legit.test>", id="24 folded name, alone"),
    pytest.param(b"From: <a@attack.test>\r\nFrom\r\n : <b@legit.test>", id="24 folded name, below"),
    pytest.param(b"From \r\n\t: <b@legit.test>\r\nFrom: <a@attack.test>", id="24 folded name, above"),
    pytest.param(b"From: <a@attack.test>\r\nFrom\r\n \r\n : <b@legit.test>", id="24 folded twice"),
    pytest.param(b" From: <b@legit.test>\r\nFrom: <a@attack.test>", id="25 leading space in the first line"),
    pytest.param(b"\tfrom: <b@legit.test>", id="25 alone"),
    pytest.param(
        b"From a@attack.test Mon\r\n From: <b@legit.test>\r\nFrom: <a@attack.test>", id="25 below a mailbox line"
    ),
    pytest.param(b"From: <a@attack.test>, <b@legit.test>\r\nSender: b@legit.test", id="26 two mailboxes and a Sender"),
    pytest.param(b"From: a@attack.test, b@legit.test", id="26 two bare addresses"),
    pytest.param(b"From: anna@legit.test,", id="26 a list of one"),
    pytest.param(b"From: anna@legit.test;", id="a semicolon"),
    pytest.param(b"From: <anna@legit.test>,", id="a comma after the angle brackets"),
    pytest.param(b"From: <anna@legit.test> Anna", id="a word after the angle brackets"),
    pytest.param(b"From: <anna@legit.test> (x) >", id="a second closing bracket"),
    pytest.param(b'From: <"Anna" anna@legit.test>', id="a name in the angle brackets"),
    # 27 to 29
    pytest.param(b"From: b@legit.test <a@attack.test>", id="27 another address as unquoted name"),
    pytest.param(b"From: b@legit.test a <b@legit.test>", id="27 more beside it"),
    pytest.param(b"From: b @legit.test <b@legit.test>", id="27 with space in it"),
    pytest.param(b"From: " + encoded("<b@legit.test>") + b", <a@attack.test>", id="28 encoded mailbox in a list"),
    pytest.param(b"From: " + encoded("<b@legit.test>"), id="28 encoded mailbox alone"),
    pytest.param(b"From: " + encoded("b@legit.test"), id="28 encoded address alone"),
    pytest.param(b"From: =?utf-8?q?b@legit.test?= <a@attack.test>", id="28 an at sign in an encoded word"),
    pytest.param(b"From: =?utf-8?q?b@legit.test?=", id="28 the same alone"),
    # 30 and 31
    pytest.param(b"From: <@attack.test:b@legit.test>", id="30 short source route"),
    pytest.param(b"From: @attack.test:b@legit.test", id="30 without angle brackets"),
    pytest.param(b"From: b@legit.test (x) <a@attack.test>", id="31 address, comment, mailbox"),
    pytest.param(b"From: b@legit.test(.attack.test", id="31 an open comment"),
    pytest.param(b"From: user@legit (x).evil.test", id="31 a comment in the domain"),
    pytest.param(b"From: user(x)@legit.test", id="31 a comment before the at sign"),
    pytest.param(b"From: user@(x)legit.test", id="31 a comment after the at sign"),
    pytest.param(b"From: <b@legit.test(x)>", id="31 a comment in the angle brackets"),
    pytest.param(b"From: <(x)b@legit.test>", id="31 at their start"),
    pytest.param(b"From: b@legit.test)", id="31 a closing parenthesis alone"),
    pytest.param(b"From: (b@legit.test)", id="31 nothing but a comment"),
    pytest.param(b"From: " + b"(" * 900 + b"b@legit.test", id="31 open 900 deep"),
    # 32
    pytest.param(b'From: "b@legit.test"', id="32 quotes and no domain"),
    pytest.param(b'From: "b"x@legit.test', id="32 quotes and more"),
    pytest.param(b'From: "b" @legit.test', id="32 space after the quotes"),
    pytest.param(b'From: "b@legit.test', id="32 open quotes"),
    pytest.param(b'From: "Anna <b@legit.test>', id="32 open quotes before the mailbox"),
    pytest.param(b'From: "Anna\\" <b@legit.test>', id="32 quotes that are not closed"),
    # 33
    pytest.param(b"From: undisclosed:;", id="33 an empty group"),
    pytest.param(b"From: undisclosed-recipients: ;", id="33 an empty group with a space"),
    pytest.param(b"From: G: <a@attack.test>;", id="33 a group of one"),
    pytest.param(b"From: G:anna@legit.test;", id="33 a group of one bare address"),
    pytest.param(b"From: <>", id="33 empty angle brackets"),
    pytest.param(b"From: Anna <>", id="33 a name and no address"),
    pytest.param(b"From: Anna Muster", id="33 no address"),
    pytest.param(b"From: anna", id="33 one word"),
    pytest.param(b"From: anna@", id="33 no domain"),
    pytest.param(b"From: @legit.test", id="33 no local part"),
    pytest.param(b"From: <anna@legit.test", id="an open angle bracket"),
    pytest.param(b"From: anna@legit.test>", id="a closing angle bracket"),
    pytest.param(b"From: <<anna@legit.test>>", id="two angle brackets"),
    pytest.param(b"From: >anna@legit.test<", id="turned angle brackets"),
    pytest.param(b"From: Anna <anna @legit.test>", id="space before the at sign"),
    pytest.param(b"From: anna@ legit.test", id="space after the at sign"),
    pytest.param(b"From: anna@legit\r\n .test", id="a fold in the domain"),
    pytest.param(b"From: Anna Muster anna@legit.test", id="a name and no angle brackets"),
    pytest.param(b"From: Anna: Muster <anna@legit.test>", id="a colon in the name"),
    pytest.param(b"From: Muster, Anna <anna@legit.test>", id="a comma in the name"),
    pytest.param(b"From: [x] Anna <anna@legit.test>", id="square brackets in the name"),
    pytest.param(b"From: an..na@legit.test", id="two dots"),
    pytest.param(b"From: mailto:anna@legit.test", id="a link"),
    # 34
    pytest.param(b"From: An\0na <anna@legit.test>", id="34 NUL in the name"),
    pytest.param(b"From: An\x0bna <anna@legit.test>", id="34 VT in the name"),
    pytest.param(b'From: "An\x1bna" <anna@legit.test>', id="34 ESC in quotes"),
    pytest.param(b"From: anna@legit.test (\x7f)", id="34 DEL in a comment"),
    pytest.param(b"From: an\x0bna@legit.test", id="34 VT in the address"),
    pytest.param(b"From: an\xffna@legit.test", id="34 0xFF in the local part"),
    pytest.param(b"From: Anna <anna@leg\xfft.test>", id="34 0xFF in the domain"),
    pytest.param("From: an\u202ena@legit.test".encode(), id="34 bidi in the address"),
    pytest.param("From: <anna@le\u200bgit.test>".encode(), id="34 zero-width in the domain"),
    pytest.param("From: \u200banna@legit.test".encode(), id="34 zero-width before the address"),
    # where does the header end?
    pytest.param(b"no field\r\nFrom: anna@legit.test", id="below a line that is no field"),
    pytest.param(b"To: x@x.test\r\n: x\r\nFrom: anna@legit.test", id="below a line without a name"),
    pytest.param(b" white\r\nFrom: anna@legit.test", id="below a folded first line"),
    pytest.param(b"From: a@attack.test\r\nno field\r\nFrom: b@legit.test", id="above and below such a line"),
    pytest.param(b"From: a@attack.test\r\nno field\r\n From: b@legit.test", id="folded under such a line"),
    pytest.param(b"From: a@attack.test\r\n\xef\xbb\xbfFrom: b@legit.test", id="behind a byte order mark"),
    pytest.param(b"From: a@attack.test\r\nFr\0om: b@legit.test", id="with NUL in the name"),
    pytest.param(b"From: a@attack.test\r\nFrom\xc2\xa0: b@legit.test", id="with a no-break space in the name"),
    pytest.param(b"From: a@attack.test\r\nFr\r\n om: b@legit.test", id="with a fold in the name"),
]


@pytest.mark.parametrize("block", AMBIGUOUS_BLOCKS)
def test_what_two_readers_may_take_differently_is_refused(block: bytes) -> None:
    assert refusal_of(block) is Reason.AMBIGUOUS_AUTHOR


@pytest.mark.parametrize(
    "value",
    [
        b"<=?utf-8?q?=40attack.test?=@legit.test>",
        b"<" + encoded("b@legit.test") + b"@attack.test>",
        b"<" + encoded("admin@legit.test") + b"@attack.test>",
    ],
)
def test_an_encoded_word_in_an_address_is_refused(value: bytes) -> None:
    assert refusal_of(b"From: " + value) is Reason.AMBIGUOUS_AUTHOR


@pytest.mark.parametrize(
    "block",
    [
        pytest.param(b"", id="an empty header"),
        pytest.param(b"To: x@x.test", id="no From"),
        pytest.param(b"From:", id="an empty From"),
        pytest.param(b"From: \t", id="a From of white space"),
        pytest.param(b"From:\r\n \r\n\t", id="a folded From of white space"),
        pytest.param(b"Sender: b@legit.test", id="Sender"),
        pytest.param(b"From:\r\nSender: b@legit.test\r\nReply-To: b@legit.test", id="Sender beside an empty From"),
        pytest.param(b"Reply-To: b@legit.test", id="Reply-To"),
        pytest.param(b"Resent-From: b@legit.test\r\nResent-Sender: b@legit.test", id="Resent-From"),
        pytest.param(b"X-From: b@legit.test\r\nFrom-: b@legit.test\r\nReturn-Path: <b@legit.test>", id="similar names"),
        pytest.param(b"From b@legit.test Mon Jan  1 10:00:00 2024", id="the line of a mailbox file"),
        pytest.param(b"no field\r\nnor this", id="garbage"),
    ],
)
def test_without_a_from_nothing_stands_in(block: bytes) -> None:
    assert refusal_of(block) is Reason.NO_AUTHOR


@pytest.mark.parametrize(
    "block",
    [
        pytest.param(
            b"From x@attack.test Mon Jan  1 10:00:00 2024\r\nFrom: anna@legit.test", id="a mailbox line first"
        ),
        pytest.param(
            b">From x@attack.test Mon Jan  1 10:00\r\nFrom: anna@legit.test", id="a quoted mailbox line first"
        ),
        pytest.param(b"From: anna@legit.test\r\nno field\r\nTo: x@x.test", id="garbage below"),
        pytest.param(
            b"From: anna@legit.test\r\nFrom x@attack.test Mon Jan  1 10:00:00 2024", id="a mailbox line below"
        ),
        pytest.param(b"From: anna@legit.test\r\n=20\r\n : x\r\n\xff\xfe: y", id="odd garbage below"),
        pytest.param(
            b"DKIM-Signature: v=1; h=mime-version:\r\n from:to:subject;\r\n\tfrom:date\r\nFrom: anna@legit.test",
            id="from: on the folded line of a signature",
        ),
        pytest.param(
            b"From: anna@legit.test\r\nno field\r\nDKIM-Signature: v=1; h=\r\n from:to",
            id="such a signature under garbage",
        ),
        pytest.param(b"Subject : x\r\nFrom: anna@legit.test", id="another field with a space before its colon"),
        pytest.param(b"Subject: x\r\n From: b@attack.test\r\nFrom: anna@legit.test", id="From: in a folded subject"),
        pytest.param(
            b"Sender: b@attack.test\r\nResent-From: c@attack.test\r\nFrom: anna@legit.test", id="other fields"
        ),
        pytest.param(b"X-From: b@attack.test\r\n>From: c@attack.test\r\nFrom: anna@legit.test", id="similar names"),
        pytest.param(b"From: anna@legit.test\r\nSubject: \xfc\0 x", id="8-bit and NUL in other fields"),
        pytest.param(b"Parse: x\r\nMessage: y\r\nX_Spam_Flag: no\r\nFrom: anna@legit.test", id="odd names"),
    ],
)
def test_a_broken_header_with_one_clear_from_is_read(block: bytes) -> None:
    assert author_of(block) == ANNA


def test_the_author_is_the_same_with_lf_line_ends() -> None:
    assert read_author(split(b"To: x@x.test\nFrom: Anna\n <anna@legit.test>\n\nFrom: b@attack.test\n")) == ANNA


@pytest.mark.parametrize(
    ("block", "value"),
    [
        (b"From: a@attack.test,\r\n b@legit.test", "a@attack.test, b@legit.test"),
        (b"From: a@attack.test\r\nFrom: b@legit.test", "a@attack.test"),
        (b"From: " + b"x" * 1000, "x" * 200),
        (b"From: \xff", "\ufffd"),
        (b" From: a@attack.test", ""),
    ],
)
def test_a_refusal_says_what_stood_in_the_field(block: bytes, value: str) -> None:
    with pytest.raises(Refused) as refusal:
        author_of(block)
    assert refusal.value.value == value


RSPAMD_SPELLINGS = [
    b"user@example.test",
    b"user@example.test (Words of comment)",
    b"Vera Probe <user@example.test>",
    b"Vera Probe <user@example.test> (Words of comment)",
    b'"Vera M. Probe" <user@example.test>',
    b'"Vera M. Probe" <user@example.test> (Words of comment)',
    b'Vera "M." Probe <user@example.test>',
    b'Vera" M. "Probe <user@example.test>',
    b"=?UTF-8?B?0JLQtdGA0LA=?= <user@example.test>",
]


@pytest.mark.parametrize("value", RSPAMD_SPELLINGS)
def test_nine_spellings_mean_one_user(value: bytes) -> None:
    assert author_of(b"From: " + value) == "user@example.test"


def test_the_nine_spellings_of_the_corpus_mean_one_user() -> None:
    files = sorted(CORPUS.rglob("*.eml"))
    if not files:
        print(f"{CORPUS} is not there: the same spellings stand in RSPAMD_SPELLINGS")
        return
    assert {path.name: read_author(split(path.read_bytes())) for path in files} == dict.fromkeys(
        (path.name for path in files), "user@example.org"
    )
    assert len(files) == 9


def test_a_name_may_have_many_words_but_not_endlessly_many() -> None:
    assert author_of(b"From: " + b"x " * (MAX_TOKENS - 5) + b"<anna@legit.test>") == ANNA
    assert refusal_of(b"From: " + b"x " * MAX_TOKENS + b"<anna@legit.test>") is Reason.AMBIGUOUS_AUTHOR


@pytest.mark.parametrize(
    ("value", "author"),
    [
        pytest.param(b"(" * 900 + b")" * 900 + b" anna@legit.test", ANNA, id="900 nested comments"),
        pytest.param(b"(" * 500_000 + b")" * 500_000 + b" anna@legit.test", ANNA, id="500,000 nested comments"),
        pytest.param(b"anna@legit.test (" + b"x" * 1_000_000 + b")", ANNA, id="a comment of 1 MB"),
        pytest.param(b'"' + b"x" * 1_000_000 + b'" <anna@legit.test>', ANNA, id="a name of 1 MB"),
        pytest.param(b'"' + b"\\x" * 500_000 + b'" <anna@legit.test>', ANNA, id="a name of escapes"),
        pytest.param(b"x\r\n " * 300 + b"<anna@legit.test>", ANNA, id="300 folds"),
        pytest.param(b"." * 8_000 + b" <anna@legit.test>", ANNA, id="8,000 dots in a name"),
        pytest.param(b'"' * 20_000, None, id="20,000 quotes"),
        pytest.param(b'"' * 19_999, None, id="19,999 quotes"),
        pytest.param(b"=?utf-8?B?x " * 5_000 + b"<anna@legit.test>", None, id="5,000 invalid encoded words"),
        pytest.param(b"<" * 1_000_000, None, id="opening brackets"),
        pytest.param(b"x@" * 500_000, None, id="at signs"),
        pytest.param(b"(\\" * 500_000, None, id="escapes in an open comment"),
        pytest.param(b'"\\' * 500_000, None, id="escapes in open quotes"),
        pytest.param(b"[" * 1_000_000, None, id="square brackets"),
        pytest.param(b"a@" + b"a." * 500_000 + b"test", None, id="a domain of 1 MB"),
        pytest.param(b"\xff" * 1_000_000, None, id="1 MB that is no text"),
    ],
)
def test_hostile_values_take_linear_time_and_no_recursion(value: bytes, author: str | None) -> None:
    started = time.monotonic()
    if author is None:
        assert refusal_of(b"From: " + value) is Reason.AMBIGUOUS_AUTHOR
    else:
        assert author_of(b"From: " + value) == author
    assert time.monotonic() - started < 10


# ---- properties

_LOCALS = st.from_regex(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,12}(\.[A-Za-z0-9]{1,12})?", fullmatch=True)
_DOMAINS = st.from_regex(r"[a-wyzA-WYZ0-9][a-zA-Z0-9]{0,20}(\.[a-z]{2,8}){0,2}", fullmatch=True)
_ADDRESSES = st.builds("{}@{}".format, _LOCALS.filter(lambda local: not local.startswith("=?")), _DOMAINS)
_SEEN = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=20)
_FOLD = st.sampled_from(["", " ", "\t", "\r\n ", " \r\n\t"])


def _escaped(specials: str, text: str) -> str:
    return "".join("\\" + char if char in specials else char for char in text)


_NAMES = st.one_of(
    st.just(""),
    st.lists(st.from_regex(r"[A-Za-zäöü.'!-]{1,9}", fullmatch=True), max_size=4).map(" ".join),
    _SEEN.map(lambda text: '"' + _escaped('"\\', text) + '"'),
    _SEEN.map(lambda text: encoded(text).decode()),
)
_COMMENTS = st.one_of(st.just(""), _SEEN.map(lambda text: "(" + _escaped("()\\", text) + ")"))


@settings(deadline=None, max_examples=300)
@given(_ADDRESSES, _NAMES, _COMMENTS, _COMMENTS, st.lists(_FOLD, min_size=5, max_size=5))
def test_what_was_written_by_the_rules_is_read_back(
    address: str, name: str, before: str, after: str, white: list[str]
) -> None:
    value = f"{white[0]}{before}{name}{white[1]}<{white[2]}{address}{white[3]}>{white[4]}{after}"
    assert author_of(b"To: x@x.test\r\nFrom:" + value.encode() + b"\r\nSubject: x") == fold(address)
    assert author_of(b"From:" + f"{white[0]}{before}{white[1]}{address}{white[2]}{after}".encode()) == fold(address)


@settings(deadline=None)
@given(_ADDRESSES, _ADDRESSES)
def test_another_address_as_unquoted_name_is_never_believed(name: str, address: str) -> None:
    block = f"From: {name} <{address}>".encode()
    if fold(name) == fold(address):
        assert author_of(block) == fold(address)
    else:
        assert refusal_of(block) is Reason.AMBIGUOUS_AUTHOR


_PIECES = st.one_of(
    st.sampled_from(
        [b"From", b"from", b"From: ", b"Subject: x", b"anna@legit.test", b"b@attack.test", b"=?utf-8?q?a?="]
    ),
    st.sampled_from([b"\r\n", b"\r\n ", b"\n", b"\r", b" ", b"\t", b"\0", b"\xff"]),
    st.sampled_from([bytes([special]) for special in b'<>()[]:;@\\,."']),
)


def outcome(raw: bytes) -> str:
    try:
        return read_author(split(raw))
    except Refused as refusal:
        return refusal.reason.value


_HOSTILE = st.lists(_PIECES, max_size=20).map(b"".join)


@settings(deadline=None, max_examples=500)
@given(st.one_of(st.binary(max_size=60), _HOSTILE, _HOSTILE.map(lambda value: b"From: " + value)))
@example(b"From:anna@legit.test")
@example(b'From: "a,b"@attack.test')
def test_any_bytes_give_the_one_mailbox_of_the_one_from_field_or_a_refusal(block: bytes) -> None:
    """An author stands literally in the mail, in the one field named From; nothing else is ever returned."""
    header = split(block)
    try:
        author = read_author(header)
    except Refused:
        return
    (value,) = header.values(b"from")
    assert author in _addresses_within(unfold(value).decode("utf-8", "surrogateescape"))


def _addresses_within(text: str) -> set[str]:
    """Fold every piece of the text that is an address, by trying them all."""
    found = set()
    for start in range(len(text)):
        for end in range(start + 3, len(text) + 1):
            if "@" in (piece := text[start:end]):
                with suppress(BadInput):
                    found.add(fold(piece))
    return found


@settings(deadline=None)
@given(_HOSTILE, st.binary(max_size=40))
def test_the_body_never_changes_the_author(block: bytes, body: bytes) -> None:
    raw = b"X: y" + block + b"\r\n\r\n"
    assert outcome(raw) == outcome(raw + body)


@settings(deadline=None)
@given(_HOSTILE)
def test_a_second_from_is_never_believed(value: bytes) -> None:
    """Whatever stands between two From fields, the second counts for nothing unless an empty line hides it."""
    raw = b"From: b@attack.test\r\nX: " + value + b"\r\nFrom: anna@legit.test\r\n\r\n"
    if split(raw).body > raw.rindex(b"From: anna@legit.test"):
        assert outcome(raw) == Reason.AMBIGUOUS_AUTHOR
    else:
        assert outcome(raw) in ("b@attack.test", Reason.AMBIGUOUS_AUTHOR)
