from random import Random

import pytest

from mailgate.domain.mail import Party
from mailgate.mime import fields, parties


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("anna@haus.example", [("anna@haus.example", "")]),
        ("<anna@haus.example>", [("anna@haus.example", "")]),
        ("Anna Muster <ANNA@Haus.Example>", [("anna@haus.example", "Anna Muster")]),
        ('"Muster, Anna" <anna@haus.example>', [("anna@haus.example", "Muster, Anna")]),
        ('"A \\"B\\" C" <anna@haus.example>', [("anna@haus.example", 'A "B" C')]),
        ("=?utf-8?Q?M=C3=BCller=2C_Anna?= <anna@haus.example>", [("anna@haus.example", "Müller, Anna")]),
        ("Anna (boss) <anna@haus.example>", [("anna@haus.example", "Anna (boss)")]),
        ("(the boss)", [("", "the boss")]),
        ("undisclosed:(nobody);", []),
        ("(boss) <anna@haus.example>", [("anna@haus.example", "boss")]),
        ("anna@haus.example (Anna (the (one)))", [("anna@haus.example", "Anna (the (one))")]),
        ("Anna (open <anna@haus.example>", [("anna@haus.example", "Anna (open")]),
        ('Anna "open <anna@haus.example>', [("anna@haus.example", "Anna open")]),
        ("Anna <anna@haus.example", [("anna@haus.example", "Anna")]),
        ("Anna anna@haus.example", [("anna@haus.example", "Anna")]),
        ("a@a.example, b@b.example; c@c.example", [("a@a.example", ""), ("b@b.example", ""), ("c@c.example", "")]),
        (
            "G: a@a.example, B <b@b.example>;, c@c.example",
            [("a@a.example", ""), ("b@b.example", "B"), ("c@c.example", "")],
        ),
        ("undisclosed-recipients:;", []),
        ("=?@haus.example", [("", "=?@haus.example")]),
        ("a@a.example, a@a.example", [("a@a.example", "")]),
        ("hans@müller.example", [("hans@xn--mller-kva.example", "")]),
        ('"john doe"@a.example', [('"john doe"@a.example', "")]),
        ("<mailto:a@a.example>", [("a@a.example", "")]),
        ("b@legit.test <a@attack.test>", [("a@attack.test", "b@legit.test")]),
        ("=?utf-8?Q?b=40legit.test?=", [("", "b@legit.test")]),
        ("=?utf-8?Q?=3Cb=40legit.test=3E?=, <a@attack.test>", [("", "<b@legit.test>"), ("a@attack.test", "")]),
        ("<@x.test,@y.test:b@legit.test>", [("b@legit.test", "")]),
        ("Anna < so . many . spaces @ haus . example >", [("so.many.spaces@haus.example", "Anna")]),
        ("anna . muster @ haus.example", [("anna.muster@haus.example", "")]),
        ('":anna"@ haus. example', [('":anna"@haus.example', "")]),
        ("Anna <anna(her; account)@haus.example(her host)>", [("anna@haus.example", "Anna")]),
        ("anna.(the (great)) muster @(in)haus.example", [("anna.muster@haus.example", "the (great) in")]),
        ("Anna < <anna@haus.example>>", [("anna@haus.example", "Anna")]),
        ("Anna <>", [("", "Anna")]),
        ("anna@haus.example <>", [("anna@haus.example", "")]),
        ("Anna <two words@haus.example>", [('"two words"@haus.example', "Anna")]),
        ("anna..muster.@haus.example", [('"anna..muster."@haus.example', "")]),
        ("<anna@haus@firma.example>", [("", "<anna@haus@firma.example>")]),
        ("Anna <=?utf-8?Q?anna?=@haus.example>", [("anna@haus.example", "Anna")]),
        ('\\"Anna\\" <anna@haus.example>', [("anna@haus.example", '"Anna"')]),
        ('"anna@haus.example"', [("anna@haus.example", "")]),
        ("'anna@haus.example'", [("anna@haus.example", "")]),
        ('"Anna" anna@haus.example', [("anna@haus.example", "Anna")]),
        ("anna@haus.example Anna Muster", [("anna@haus.example", "Anna Muster")]),
        ("a@a.example b@b.example", [("a@a.example", ""), ("b@b.example", "")]),
        ("<a@a.example; b@b.example>", [("a@a.example", ""), ("b@b.example", "")]),
        ("Anna <anna@haus.example,>", [("anna@haus.example", "Anna")]),
        ("=?utf-8?Q?Anna?_Who??= <anna@haus.example>", [("anna@haus.example", "Anna? Who?")]),
        ("Muster, Anna <anna@haus.example>", [("", "Muster"), ("anna@haus.example", "Anna")]),
        ("anna@[IPv6:2001:db8::1], b@b.example", [("anna@[ipv6:2001:db8::1]", ""), ("b@b.example", "")]),
        ("Anna [HR: Bern] <anna@haus.example>", [("anna@haus.example", "Bern]")]),
        ("Anna > Muster < x <anna@haus.example>", [("anna@haus.example", "Anna Muster x")]),
        ("Anna<a@a.example>Bert<b@b.example>", [("a@a.example", "Anna"), ("b@b.example", "Bert")]),
        ("<undisclosed-recipients:;>", []),
        ("Undisclosed <undisclosed recipients:;>", []),
        ("<a@a.example> Anna", [("a@a.example", "Anna")]),
        ('"b@legit.test" a@attack.test', [("a@attack.test", "b@legit.test")]),
        ('"Reply to b@legit.test" a@attack.test', [("a@attack.test", "Reply to b@legit.test")]),
        ("Write Anna at anna@haus.example today", [("anna@haus.example", "Write Anna at today")]),
        ('"b@legit.test"@attack.test', [('"b@legit.test"@attack.test', "")]),
        ('Anna <"b@legit.test"@attack.test>', [('"b@legit.test"@attack.test', "Anna")]),
        ("[ ( ] <b@legit.test> ) <a@attack.test>", [("a@attack.test", "[ ( ] <b@legit.test> )")]),
        ("Nobody <nobody>", [("", "Nobody <nobody>")]),
        ("nobody", [("", "nobody")]),
        ("\u202eevil <a@attack.test>", [("a@attack.test", "evil")]),
        (",,;,", []),
        ("", []),
    ],
)
def test_the_mailboxes_of_a_field_are_told_apart(value: str, expected: list[tuple[str, str]]) -> None:
    read, more = parties.read(fields.split(b"To: " + value.encode() + b"\r\n\r\n"))
    assert [(party.email, party.name) for party in read] == expected
    assert not more


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Muster, Anna <anna@haus.example>", [("anna@haus.example", "Muster, Anna")]),
        (
            "Muster, Anna, Dr. <anna@haus.example>, b@b.example",
            [("anna@haus.example", "Muster, Anna, Dr."), ("b@b.example", "")],
        ),
        ("Muster, Anna", [("", "Muster, Anna")]),
        ("a@a.example, Anna <nobody>", [("a@a.example", ""), ("", "Anna <nobody>")]),
    ],
)
def test_a_comma_in_the_name_of_a_sender_cuts_nothing(value: str, expected: list[tuple[str, str]]) -> None:
    read, _ = parties.read(fields.split(b"From: " + value.encode() + b"\r\n\r\n"))
    assert [(party.email, party.name) for party in read] == expected


def test_names_that_say_no_charset_are_in_that_of_the_body() -> None:
    head = "Content-Type: text/plain; charset=koi8-r\r\nTo: Анна <anna@haus.example>\r\n\r\n".encode("koi8-r")
    assert parties.read(fields.split(head))[0] == (Party("to", "anna@haus.example", "Анна"),)


def test_every_field_counts_in_the_order_of_the_header() -> None:
    head = b"From: f@a.example\r\nTo: t@a.example\r\nReply-To: r@a.example\r\nCc: c@a.example\r\nTo: u@a.example\r\n"
    read, _ = parties.read(fields.split(head + b"Bcc: b@a.example\r\nSender: s@a.example\r\n\r\n"))
    assert read == (
        Party("from", "f@a.example", ""),
        Party("to", "t@a.example", ""),
        Party("cc", "c@a.example", ""),
        Party("to", "u@a.example", ""),
        Party("bcc", "b@a.example", ""),
        Party("sender", "s@a.example", ""),
    )


def test_parties_beyond_the_limit_are_cut_and_told() -> None:
    many = b", ".join(b"u%d@a.example" % n for n in range(parties.MAX_PARTIES + 1))
    read, more = parties.read(fields.split(b"To: " + many + b"\r\n\r\n"))
    assert (len(read), more) == (parties.MAX_PARTIES, True)


def test_the_repeated_ones_count_and_nothing_is_cut_in_two() -> None:
    same = b"u@a.example," * (parties.MAX_PARTIES + 1)
    assert parties.read(fields.split(b"To: " + same + b"\r\n\r\n")) == ((Party("to", "u@a.example", ""),), True)
    named = b'To: "%b" <u@a.example>, anna@firma.example\r\n' % (b"x" * (parties.MAX_BYTES - 30))
    read, more = parties.read(fields.split(named + b"Cc: c@a.example\r\n\r\n"))
    assert ([party.email for party in read], more) == (["u@a.example"], True)


PIECES = (
    *(
        "Anna Muster",
        " <a@a.example>",
        "b@b.example",
        "<A.B@EXAMPLE.com>",
        "x-y_z@a-b.example",
        "a@-b.example",
        "O'Neil",
    ),
    *(
        "=?utf-8?q?J=C3=BCrg?=",
        "=?utf-8?q?J_<x@y.example>,=20?=",
        "=?utf-8?q?",
        "?=",
        "=?iso-8859-1?b?/A==?=",
        "=",
        "?",
    ),
    *('"Muster, Anna"', '""', '"', '"a (b) c"', "(c)", "\\", "]", "<", ">", "@", ":", ";", ",", ", ", " ", "\t", "ü"),
)


def test_usual_mailboxes_are_read_as_odd_ones_are(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = Random(6)
    values = ["".join(chance.choices(PIECES, k=chance.randrange(1, 8))) for _ in range(20_000)]
    heads = [fields.split(f"{chance.choice(('From', 'To'))}: {value}\r\n\r\n".encode()) for value in values]
    read = [parties.read(head) for head in heads]
    monkeypatch.setattr(parties, "MAX_USUAL", 0)
    assert read == [parties.read(head) for head in heads]
