"""What is read in Authentication-Results: real shapes, hostile ones, and never more than authres sees there."""

import time
from collections.abc import Callable

import authres
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mailgate.mailauth.results import MAX_RESULTS, MAX_VALUE, Results, read, read_arc, read_without_id

Said = list[tuple[str, str, dict[str, str]]]


def said(found: Results | None) -> tuple[str, Said] | None:
    if found is None:
        return None
    return found.authserv_id, [(one.method, one.result, dict(one.properties)) for one in found.results]


REAL: list[tuple[str, str, str, Said]] = [
    (
        "Google",
        (
            "mx.google.com;\r\n       dkim=pass header.i=@legit.test header.s=20230601 header.b=Ab/c+d==;\r\n       "
            "spf=pass (google.com: domain of anna@legit.test designates 192.0.2.1 as permitted sender) "
            "smtp.mailfrom=anna@legit.test;\r\n       dmarc=pass (p=NONE sp=QUARANTINE) header.from=legit.test;\r\n"
            "       dara=pass header.i=@gmail.example"
        ),
        "mx.google.com",
        [
            ("dkim", "pass", {"header.i": "@legit.test", "header.s": "20230601", "header.b": "Ab/c+d=="}),
            ("spf", "pass", {"smtp.mailfrom": "anna@legit.test"}),
            ("dmarc", "pass", {"header.from": "legit.test"}),
            ("dara", "pass", {"header.i": "@gmail.example"}),
        ],
    ),
    (
        "Google, forwarded",
        (
            'mx.google.com; dkim=pass header.i=@legit.test header.s=s header.b="ab/c="; arc=pass (i=1 spf=pass '
            "spfdomain=legit.test dkim=pass dkdomain=legit.test dmarc=pass fromdomain=legit.test); spf=pass "
            "(google.com: "
            "domain of x+caf_=y=legit.test@legit.test designates 2001:db8::1 as permitted sender) "
            'smtp.mailfrom="x+caf_=y=legit.test@legit.test"; dmarc=pass (p=NONE sp=NONE dis=NONE) '
            "header.from=legit.test"
        ),
        "mx.google.com",
        [
            ("dkim", "pass", {"header.i": "@legit.test", "header.s": "s", "header.b": "ab/c="}),
            ("arc", "pass", {}),
            ("spf", "pass", {"smtp.mailfrom": "x+caf_=y=legit.test@legit.test"}),
            ("dmarc", "pass", {"header.from": "legit.test"}),
        ],
    ),
    (
        "Google, older",
        (
            "mx.google.com; spf=neutral (google.com: 192.0.2.1 is neither permitted nor denied by domain of a@b.test) "
            "smtp.mail=a@b.test"
        ),
        "mx.google.com",
        [("spf", "neutral", {"smtp.mail": "a@b.test"})],
    ),
    (
        "OpenDKIM",
        (
            "mx.relay.test;\r\n\tdkim=pass (2048-bit key; unprotected) header.d=legit.test header.i=@legit.test "
            "header.a=rsa-sha256 header.s=mail header.b=Xyz12345;\r\n\tdkim-atps=neutral; dkim-adsp=pass "
            'reason="ok, then"'
        ),
        "mx.relay.test",
        [
            (
                "dkim",
                "pass",
                {
                    "header.d": "legit.test",
                    "header.i": "@legit.test",
                    "header.a": "rsa-sha256",
                    "header.s": "mail",
                    "header.b": "Xyz12345",
                },
            ),
            ("dkim-atps", "neutral", {}),
            ("dkim-adsp", "pass", {"reason": "ok, then"}),
        ],
    ),
    (
        "OpenDMARC",
        "mx.relay.test; dmarc=fail (p=reject dis=none) header.from=legit.test",
        "mx.relay.test",
        [("dmarc", "fail", {"header.from": "legit.test"})],
    ),
    (
        "rspamd",
        (
            "mx.relay.test;\r\n\tdkim=pass header.d=legit.test header.s=mail header.b=abc;\r\n\tspf=pass "
            "(mx.relay.test: "
            "domain of anna@legit.test designates 192.0.2.1 as permitted sender) smtp.mailfrom=anna@legit.test;\r\n\t"
            "dmarc=pass (policy=reject) header.from=legit.test"
        ),
        "mx.relay.test",
        [
            ("dkim", "pass", {"header.d": "legit.test", "header.s": "mail", "header.b": "abc"}),
            ("spf", "pass", {"smtp.mailfrom": "anna@legit.test"}),
            ("dmarc", "pass", {"header.from": "legit.test"}),
        ],
    ),
    (
        "rspamd at submission",
        "mx.relay.test;\r\n\tauth=pass smtp.auth=anna@legit.test smtp.mailfrom=anna@legit.test",
        "mx.relay.test",
        [("auth", "pass", {"smtp.auth": "anna@legit.test", "smtp.mailfrom": "anna@legit.test"})],
    ),
    (
        "Exim",
        (
            "mx.relay.test;\r\n\tiprev=pass (mail.legit.test) smtp.remote-ip=192.0.2.1;\r\n\tspf=pass "
            "smtp.mailfrom=legit.test;\r\n\tdkim=pass header.d=legit.test header.s=mail header.a=rsa-sha256;\r\n\t"
            "dmarc=pass header.from=legit.test;\r\n\tarc=none"
        ),
        "mx.relay.test",
        [
            ("iprev", "pass", {"smtp.remote-ip": "192.0.2.1"}),
            ("spf", "pass", {"smtp.mailfrom": "legit.test"}),
            ("dkim", "pass", {"header.d": "legit.test", "header.s": "mail", "header.a": "rsa-sha256"}),
            ("dmarc", "pass", {"header.from": "legit.test"}),
            ("arc", "none", {}),
        ],
    ),
    (
        "Proton",
        (
            "mail.relay.test; dkim=pass (Good ed25519-sha256 signature) header.d=legit.test header.a=ed25519-sha256; "
            "spf=pass smtp.mailfrom=legit.test; dmarc=pass (p=quarantine dis=none) header.from=legit.test; "
            "arc=none smtp.remote-ip=192.0.2.1"
        ),
        "mail.relay.test",
        [
            ("dkim", "pass", {"header.d": "legit.test", "header.a": "ed25519-sha256"}),
            ("spf", "pass", {"smtp.mailfrom": "legit.test"}),
            ("dmarc", "pass", {"header.from": "legit.test"}),
            ("arc", "none", {"smtp.remote-ip": "192.0.2.1"}),
        ],
    ),
    (
        "Fastmail",
        (
            "mx5.relay.test;\r\n    arc=none (no signatures found);\r\n    bimi=skipped (DMARC Policy is not at "
            "enforcement);\r\n    dkim=pass (2048-bit rsa key sha256) header.d=legit.test header.i=@legit.test "
            "header.b=ab "
            "header.a=rsa-sha256 header.s=s x-bits=2048;\r\n    dmarc=pass policy.published-domain-policy=none "
            "policy.applied-disposition=none (p=none,d=none,d.eval=none) policy.policy-from=p "
            "header.from=legit.test;\r\n"
            "    iprev=pass smtp.remote-ip=192.0.2.1 (mail.legit.test);\r\n    x-aligned-from=pass (Address match);\r\n"
            "    x-return-mx=pass header.domain=legit.test policy.is_org=yes (MX Records found: a.test,b.test);\r\n"
            "    x-tls=pass smtp.version=TLSv1.3 smtp.cipher=TLS_AES_256_GCM_SHA384 smtp.bits=256/256;\r\n    "
            "x-vs=clean "
            "score=-100 state=0"
        ),
        "mx5.relay.test",
        [
            ("arc", "none", {}),
            ("bimi", "skipped", {}),
            (
                "dkim",
                "pass",
                {
                    "header.d": "legit.test",
                    "header.i": "@legit.test",
                    "header.b": "ab",
                    "header.a": "rsa-sha256",
                    "header.s": "s",
                    "x-bits": "2048",
                },
            ),
            (
                "dmarc",
                "pass",
                {
                    "policy.published-domain-policy": "none",
                    "policy.applied-disposition": "none",
                    "policy.policy-from": "p",
                    "header.from": "legit.test",
                },
            ),
            ("iprev", "pass", {"smtp.remote-ip": "192.0.2.1"}),
            ("x-aligned-from", "pass", {}),
            ("x-return-mx", "pass", {"header.domain": "legit.test", "policy.is_org": "yes"}),
            (
                "x-tls",
                "pass",
                {"smtp.version": "TLSv1.3", "smtp.cipher": "TLS_AES_256_GCM_SHA384", "smtp.bits": "256/256"},
            ),
            ("x-vs", "clean", {"score": "-100", "state": "0"}),
        ],
    ),
    (
        "Yahoo and AOL",
        (
            "atlas-1.relay.test; dkim=pass header.i=@legit.test header.s=s; spf=pass smtp.mailfrom=legit.test; "
            "dmarc=pass(p=REJECT) header.from=legit.test;"
        ),
        "atlas-1.relay.test",
        [
            ("dkim", "pass", {"header.i": "@legit.test", "header.s": "s"}),
            ("spf", "pass", {"smtp.mailfrom": "legit.test"}),
            ("dmarc", "pass", {"header.from": "legit.test"}),
        ],
    ),
    (
        "GMX",
        "gmx.relay.test; dkim=pass header.i=@legit.test",
        "gmx.relay.test",
        [("dkim", "pass", {"header.i": "@legit.test"})],
    ),
    (
        "Zoho",
        (
            "mx.relay.test; dkim=pass; spf=pass (relay.test: domain of legit.test designates 192.0.2.1 as "
            "permitted sender)"
            " smtp.mailfrom=anna@legit.test; dmarc=pass(p=reject dis=none)  header.from=<anna@legit.test>"
        ),
        "mx.relay.test",
        [
            ("dkim", "pass", {}),
            ("spf", "pass", {"smtp.mailfrom": "anna@legit.test"}),
            ("dmarc", "pass", {"header.from": "<anna@legit.test>"}),
        ],
    ),
    (
        "Cisco",
        (
            "esa1.relay.test; spf=Pass smtp.mailfrom=anna@legit.test; spf=None smtp.helo=postmaster@mail.legit.test; "
            "dkim=pass (signature verified) header.i=@legit.test; dmarc=pass (p=none dis=none) d=legit.test"
        ),
        "esa1.relay.test",
        [
            ("spf", "pass", {"smtp.mailfrom": "anna@legit.test"}),
            ("spf", "none", {"smtp.helo": "postmaster@mail.legit.test"}),
            ("dkim", "pass", {"header.i": "@legit.test"}),
            ("dmarc", "pass", {"d": "legit.test"}),
        ],
    ),
    (
        "RFC 8601 B.7",
        (
            "foo.relay.test (foobar) 1 (baz);\r\n dkim (Because I like it) / 1 (One yay) = (wait for it) "
            "fail\r\n policy "
            "(A dot can go here) . (like that) expired\r\n (this surprised me) = (as I wasn't expecting it) 1362471462"
        ),
        "foo.relay.test",
        [("dkim", "fail", {"policy.expired": "1362471462"})],
    ),
    ("no results", "mx.relay.test 1; none", "mx.relay.test", []),
    ("a comment after no results", "mx.relay.test; none (not asked)", "mx.relay.test", []),
    (
        "nested comments, quotes and 8-bit bytes in them",
        'mx.relay.test; dkim=pass (a (b "c ; d) \\) e \u00e9) header.d=legit.test',
        "mx.relay.test",
        [("dkim", "pass", {"header.d": "legit.test"})],
    ),
    (
        "a quoted local part, and one from abroad",
        'mx.relay.test; spf=pass smtp.mailfrom="a;b (c)"@legit.test; auth=pass smtp.auth=j\u00fcrg@legit.test',
        "mx.relay.test",
        [
            ("spf", "pass", {"smtp.mailfrom": '"a;b (c)"@legit.test'}),
            ("auth", "pass", {"smtp.auth": "j\u00fcrg@legit.test"}),
        ],
    ),
    (
        "capitals, a quoted name, and the same property twice with one value",
        '"MX.relay.test"; DKIM=Pass Header.D=Legit.test header.d=legit.test',
        "MX.relay.test",
        [("dkim", "pass", {"header.d": "Legit.test"})],
    ),
    (
        "the null sender",
        "mx.relay.test; spf=pass smtp.mailfrom=; spf=none smtp.helo=mail.legit.test",
        "mx.relay.test",
        [("spf", "pass", {"smtp.mailfrom": ""}), ("spf", "none", {"smtp.helo": "mail.legit.test"})],
    ),
]


@pytest.mark.parametrize(
    ("value", "authserv_id", "results"), [case[1:] for case in REAL], ids=[case[0] for case in REAL]
)
def test_real_shapes_are_read(value: str, authserv_id: str, results: Said) -> None:
    assert said(read(f" {value}\r\n".encode())) == (authserv_id, results)


MICROSOFT: list[tuple[str, str, Said]] = [
    (
        "today's",
        (
            "spf=pass (sender IP is 192.0.2.1)\r\n smtp.mailfrom=legit.test; dkim=pass (signature was verified)\r\n "
            "header.d=legit.test;dmarc=pass action=none\r\n header.from=legit.test;compauth=pass reason=100"
        ),
        [
            ("spf", "pass", {"smtp.mailfrom": "legit.test"}),
            ("dkim", "pass", {"header.d": "legit.test"}),
            ("dmarc", "pass", {"action": "none", "header.from": "legit.test"}),
            ("compauth", "pass", {"reason": "100"}),
        ],
    ),
    (
        "with the recipient's domain among them",
        (
            "spf=none (sender IP is 192.0.2.1) smtp.mailfrom=legit.test; muster.test; dkim=none (message not signed) "
            "header.d=none;muster.test; dmarc=bestguesspass action=none header.from=legit.test;"
        ),
        [
            ("spf", "none", {"smtp.mailfrom": "legit.test"}),
            ("dkim", "none", {"header.d": "none"}),
            ("dmarc", "bestguesspass", {"action": "none", "header.from": "legit.test"}),
        ],
    ),
    (
        "inside one tenant",
        "dkim=none (message not signed)\r\n header.d=none;dmarc=none action=none header.from=legit.test;",
        [
            ("dkim", "none", {"header.d": "none"}),
            ("dmarc", "none", {"action": "none", "header.from": "legit.test"}),
        ],
    ),
]


@pytest.mark.parametrize(("value", "results"), [case[1:] for case in MICROSOFT], ids=[case[0] for case in MICROSOFT])
def test_microsofts_form_is_read_by_its_own_rule_only(value: str, results: Said) -> None:
    assert said(read_without_id(value.encode())) == ("", results)
    assert read(value.encode()) is None


@pytest.mark.parametrize("value", [case[1] for case in REAL], ids=[case[0] for case in REAL])
def test_a_value_with_an_authserv_id_is_not_of_microsofts_form(value: str) -> None:
    assert read_without_id(value.encode()) is None


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (
            (
                "i=1; mx.microsoft.com 1; spf=pass smtp.mailfrom=legit.test; dmarc=pass action=none "
                "header.from=legit.test; "
                "dkim=pass header.d=legit.test; arc=none (0)"
            ),
            (1, "mx.microsoft.com", ["spf", "dmarc", "dkim", "arc"]),
        ),
        (" i=2; mx.google.com;\r\n dkim=pass header.i=@legit.test; arc=pass", (2, "mx.google.com", ["dkim", "arc"])),
        ("i = 50; mx.relay.test; none", (50, "mx.relay.test", [])),
        ("mx.google.com; dkim=pass header.i=@legit.test", None),
        ("i=0; mx.google.com; none", None),
        ("i=01; mx.google.com; none", None),
        ("i=100; mx.google.com; none", None),
        ("i=1 i=2; mx.google.com; none", None),
        ('"i=1"; mx.google.com; none', None),
        ("i=1", None),
        ("i=1; spf=pass smtp.mailfrom=legit.test", None),
        ("i=1; i=2; mx.google.com; none", None),
    ],
)
def test_the_form_of_arc(value: str, found: tuple[int, str, list[str]] | None) -> None:
    arc = read_arc(value.encode())
    assert (arc and (arc[0], arc[1].authserv_id, [one.method for one in arc[1].results])) == found


# strangers chose a part of these: nothing in them may pass for legit.test
HOSTILE: list[tuple[str, str]] = [
    ("an open comment", "mx; dkim=pass header.d=legit.test(.attack.test"),
    ("an open comment, spaced", "mx; dkim=pass header.d=legit.test (.attack.test"),
    ("closed by another property", "mx; dkim=pass header.d=legit.test(.attack.test header.s=) header.b=x"),
    ("closed by another property, spaced", "mx; dkim=pass header.d=legit.test (.attack.test header.s=) header.b=x"),
    ("closed by another signature", "mx; dkim=pass header.d=legit.test(.attack.test; dkim=pass header.d=).attack.test"),
    ("a comment that touches the value", "mx; dkim=pass header.d=legit.test(.attack.test) header.s=x"),
    ("a value missing behind it", "mx; dkim=pass header.d=legit.test header.s= header.b=x"),
    ("a comment inside", "mx; dkim=pass header.d=legit.test(x).attack.test"),
    ("a comment inside, spaced", "mx; dkim=pass header.d=legit.test (x) .attack.test"),
    ("a space inside", "mx; dkim=pass header.d=legit.test .attack.test"),
    ("a fold inside", "mx; dkim=pass header.d=legit.test\r\n .attack.test"),
    ("a backslash", "mx; dkim=pass header.d=legit.test\\.attack.test"),
    ("an open quoted string", 'mx; dkim=pass header.d="legit.test'),
    ("a quote inside", 'mx; dkim=pass header.d=legit.test" header.s="x"'),
    ("an apostrophe", "mx; dkim=pass header.d=legit.test'a.attack.test"),
    ("a stray parenthesis", "mx; dkim=pass header.d=legit.test)"),
    ("NUL", "mx; dkim=pass header.d=legit.test\0.attack.test"),
    ("a vertical tab", "mx; dkim=pass header.d=legit.test\x0b header.s=x"),
    ("a control in a comment", "mx; dkim=pass (\x01) header.d=legit.test"),
    ("named twice", "mx; dkim=pass header.d=legit.test header.d=attack.test"),
    ("named twice, otherwise", "mx; dkim=pass header.d=attack.test Header.D=legit.test"),
    ("a property in a comment", "mx; dkim=pass (header.d=legit.test)"),
    ("a property in a comment behind", "mx; dkim=pass (x) header.d=attack.test (header.d=legit.test)"),
    ("a property in a nested comment", "mx; dkim=pass (x (header . d = legit.test)) header.d=attack.test"),
    ("a result in a comment", "mx; spf=pass (x; dkim=pass header.d=legit.test; y)"),
    ("a result in a quoted string", 'mx; spf=pass smtp.mailfrom="x; dkim=pass header.d=legit.test; y"'),
    ("a missing value", "mx; dkim=pass header.s= header.d=legit.test"),
    ("a value that is a pair", "mx; dkim=pass header.s = header.d=legit.test"),
    ("two words", "mx; dkim=pass legit.test header.d=legit.test"),
    ("a name in quotes", 'mx; dkim=pass "header".d=legit.test'),
    ("a result in quotes", 'mx; dkim="pass" header.d=legit.test'),
    ("a result of two words", "mx; dkim=pass fail header.d=legit.test"),
    ("no result", "mx; dkim= header.d=legit.test"),
    ("another version", "mx 2; dkim=pass header.d=legit.test"),
    ("another version of the method", "mx; dkim/2=pass header.d=legit.test"),
    ("two names", "mx attack; dkim=pass header.d=legit.test"),
    ("no name", "; dkim=pass header.d=legit.test"),
    ("only a comment for a name", "(mx); dkim=pass header.d=legit.test"),
    ("an empty value", ""),
    ("two DMARC results", "mx; dmarc=pass header.from=legit.test; dmarc=fail header.from=legit.test"),
    ("two DMARC results for two", "mx; dmarc=pass header.from=legit.test; dmarc=pass header.from=attack.test"),
    ("a DMARC result that can't be read", "mx; dkim=pass header.d=legit.test; dmarc=fail header.from=x (y) z"),
    ("too many results", "mx" + "; dkim=pass header.d=legit.test" * (MAX_RESULTS + 1)),
    ("too long", f"mx; dkim=pass header.d=legit.test ({'x' * MAX_VALUE})"),
]


def _names_legit(found: Results | None) -> bool:
    results = found.results if found else ()
    return any("legit.test" in (value, value.strip('@"')) for one in results for value in one.properties.values())


@pytest.mark.parametrize("value", [case[1] for case in HOSTILE], ids=[case[0] for case in HOSTILE])
def test_what_two_readers_could_take_differently_is_no_result(value: str) -> None:
    assert not _names_legit(read(value.encode()))
    assert not _names_legit(read_without_id(value.removeprefix("mx; ").encode()))
    arc = read_arc(f"i=1; {value}".encode())
    assert not _names_legit(arc and arc[1])


def test_the_most_and_the_longest_are_read() -> None:
    one = "; dkim=pass header.d=legit.test"
    most = read(("mx" + one * MAX_RESULTS).encode())
    assert most is not None
    assert len(most.results) == MAX_RESULTS
    start = f"mx{one} ("
    longest = f"{start}{'x' * (MAX_VALUE - len(start) - 1)})"
    assert _names_legit(read(longest.encode()))


BOMBS: list[tuple[str, Callable[[int], str]]] = [
    ("open comments", lambda n: "mx; a=b " + "(" * n),
    ("nested comments", lambda n: "mx; a=b " + "(" * (n // 2) + ")" * (n // 2)),
    ("quotes", lambda n: "mx; a=" + '"' * n),
    ("backslashes in quotes", lambda n: 'mx; a="' + "\\" * n),
    ("white space", lambda n: "mx; a=b" + " " * n + "c"),
    ("semicolons", lambda n: "mx" + ";" * n),
    ("equals signs", lambda n: "mx; a" + "=" * n),
    ("dots", lambda n: "mx; a=b " + "." * n + "=c"),
    ("words", lambda n: "mx; a=b" + " c.d=e" * (n // 6)),
    ("comments", lambda n: "mx; a=b" + " ()" * (n // 3)),
    ("dashes", lambda n: "mx; " + "a-" * (n // 2) + "!"),
    ("header, over and over, in a comment", lambda n: "mx; a=b (" + "header . " * (n // 9) + ")"),
    ("name without an end", lambda n: "mx; a=b header" + " ." * (n // 2)),
]


@pytest.mark.parametrize("bomb", [case[1] for case in BOMBS], ids=[case[0] for case in BOMBS])
def test_no_bytes_take_long(bomb: Callable[[int], str]) -> None:
    value = bomb(MAX_VALUE - 20).encode()
    start = time.process_time()
    for reader in (read, read_without_id, read_arc):
        reader(value)
    assert time.process_time() - start < 3  # some 0.1 s


PIECES = st.sampled_from(
    [
        " ",
        ";",
        "=",
        ".",
        "(",
        ")",
        '"',
        "\\",
        "/",
        "@",
        "\r\n ",
        "\t",
        "mx",
        "1",
        "none",
        "dkim",
        "dmarc",
        "spf",
        "pass",
        "fail",
        "header.d",
        "header",
        "d",
        "legit.test",
        "header.from=legit.test",
        "dkim=pass",
        "; dkim=pass ",
        "'",
        "é",
        "reason",
        "x",
        "header.d=legit.test",
        "header.d=attack.test",
        "(x)",
        '"x y"',
        "i=1;",
        "i=1",
        "\x00",
    ]
)


@settings(deadline=None)
@given(st.lists(PIECES, max_size=40).map("".join))
@example("mx; none")
def test_any_bytes_are_read_or_not_and_never_trip(value: str) -> None:
    for found in (read(value.encode()), read_without_id(value.encode()), read(b"mx; " + value.encode())):
        for one in found.results if found else ():
            assert one.method == one.method.lower() != ""
            assert one.result == one.result.lower() != ""


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_binary_never_trips(value: bytes) -> None:
    assert read(value) is None or isinstance(read(value), Results)
    assert read_arc(value) is None or isinstance(read_arc(value), tuple)
    assert read_without_id(value) is None or isinstance(read_without_id(value), Results)


def _by_authres(value: str) -> tuple[str, Said] | None:
    """What authres reads, in our words; ``None`` where it gives up."""
    try:
        header = authres.AuthenticationResultsHeader.parse_value(value)
    except (authres.AuthResError, ValueError, RecursionError):
        return None
    return header.authserv_id, [
        (one.method, one.result.lower(), {f"{each.type}.{each.name}": each.value for each in one.properties})
        for one in header.results
    ]


DECIDING = {"dkim": ("header.d", "header.i"), "dmarc": ("header.from",), "auth": ("smtp.auth",)}


GAPS = st.sampled_from([" ", "  ", "\t", "\r\n ", " (x) ", " (a (b; c) \\) d) ", "\r\n\t(2048-bit key; unprotected) "])
TIGHT = st.sampled_from(["", "", "", " ", " (x) "])
NAMES = st.sampled_from(["header.d", "header.i", "header.from", "smtp.auth", "header.s", "policy.x", "reason"])
VALUES = st.sampled_from(["legit.test", "attack.test", "@legit.test", "anna@legit.test", "x", "a-b_c", "Legit.TEST"])
METHODS = st.sampled_from(["dkim", "dmarc", "auth", "spf", "x-tls", "DKIM"])
PROPERTIES = st.lists(st.tuples(GAPS, NAMES, VALUES).map(lambda one: f"{one[0]}{one[1]}={one[2]}"), max_size=3)
RESULTS = st.tuples(METHODS, TIGHT, TIGHT, st.sampled_from(["pass", "fail", "Pass"]), PROPERTIES).map(
    lambda one: f"{one[0]}{one[1]}={one[2]}{one[3]}{''.join(one[4])}"
)
VALID = st.tuples(
    st.sampled_from(["mx", "mx 1", "mx (x)"]), st.lists(st.tuples(TIGHT, RESULTS).map("".join), min_size=1)
).map(lambda one: ";".join([one[0], *one[1]]))


@settings(deadline=None)
@given(VALID | st.lists(PIECES, max_size=25).map(lambda pieces: "mx; dkim=pass " + "".join(pieces)))
@example("mx; dkim=pass header.d=legit.test header.i=@legit.test; dmarc=pass (p=none) header.from=legit.test")
@example("mx; dkim=pass header.d = legit.test (x); spf=fail")
def test_where_both_read_a_passed_result_authres_reads_the_same(value: str) -> None:
    ours, theirs = read(value.encode()), _by_authres(value.replace("\r\n", ""))
    if ours is None or theirs is None:
        return
    seen = [(method, properties) for method, result, properties in theirs[1] if result == "pass"]
    for one in ours.results:
        names = [name for name in DECIDING.get(one.method, ()) if one.properties.get(name)]
        if one.result != "pass" or not names:
            continue
        expected = {name: one.properties[name].lower() for name in names}  # of two spellings each keeps another
        assert any(
            method == one.method and {name: str(properties.get(name, "")).lower() for name in names} == expected
            for method, properties in seen
        ), (one, theirs)
