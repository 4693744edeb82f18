"""``mailgate doctor relay``: what it prints and how it ends."""

import json

import pytest

from mailgate.domain.proof import Authorship, Evidence
from mailgate.mailauth.authenticator import Authenticator
from tests.cli.conftest import Run

MAIL = (
    b"Authentication-Results: mx.muster.test; dkim=pass header.d=muster.test\n"
    b"Received: from pc by mx.muster.test with ESMTPS id 4bKxyz; Sun, 22 Nov 2026 12:00:00 +0000\n"
    b"From: Anna <anna@muster.test>\nSubject: Test\n\nGuten Tag\n"
)
BARE = b"From: Anna <anna@muster.test>\r\nSubject: Test\r\n\r\nGuten Tag\r\n"


@pytest.fixture(autouse=True)
def no_dns(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing_there(_self: Authenticator, _said: Authorship) -> Evidence:
        return Evidence()

    monkeypatch.setattr(Authenticator, "examine", nothing_there)


def test_a_kind_that_is_supported_comes_with_settings_to_paste(bare: Run) -> None:
    ran = bare("doctor", "relay", "-", stdin=MAIL)
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert lines[0] == "From is anna@muster.test, the envelope sender not known"
    assert "1\tmx.muster.test\tESMTPS\t4bKxyz\t" in lines
    assert "0\tmx.muster.test\tdkim=pass header.d=muster.test\tyes" in lines
    assert [line.partition(": ")[2].partition(":")[0] for line in lines if line.startswith(("v", "stamped:"))] == [
        "not known",
        "yes",
        "no",
    ]
    start = lines.index("        [[relays]]")
    assert [line.strip() for line in lines[start : start + 7]] == [
        "[[relays]]",
        'name = "mx"',
        'networks = ["192.0.2.1"]  # the addresses from which it speaks to us, or "unix"',
        'trust = "stamped"',
        'authserv_id = "mx.muster.test"',
        "received = 1",
        'stamp = "above"',
    ]


def test_where_none_is_supported_it_says_what_to_do_and_ends_with_65(bare: Run) -> None:
    ran = bare("doctor", "relay", "-", "--json", stdin=BARE)
    assert (ran.code, ran.err) == (65, "")
    found = json.loads(ran.out)
    assert (found["received"], found["stamps"]) == ([], [])
    assert [(kind["trust"], kind["supported"]) for kind in found["kinds"]] == [
        ("vouched", None),
        ("stamped", False),
        ("verified", False),
    ]
    assert all(kind["why"] and kind["todo"] for kind in found["kinds"])


def test_the_envelope_sender_decides_about_vouched(bare: Run) -> None:
    kept = bare("doctor", "relay", "-", "--from", "Anna@Muster.test", "--json", stdin=BARE)
    assert (kept.code, json.loads(kept.out)["kinds"][0]["supported"]) == (0, True)
    other = bare("doctor", "relay", "-", "--from", "bob@muster.test", "--json", stdin=BARE)
    assert (other.code, json.loads(other.out)["kinds"][0]["supported"]) == (65, False)


def test_no_store_is_opened(bare: Run) -> None:
    assert bare("doctor", "relay", "-", stdin=MAIL).code == 0
    assert "data" in bare("user", "list").err  # there is none


@pytest.mark.parametrize(
    ("mail", "named"),
    [(b"", "no_author"), (b"a\0b", "bare_newline"), (b"From: a@b.test, c@d.test\n\n", "ambiguous_author")],
)
def test_what_is_no_mail_is_one_line(bare: Run, mail: bytes, named: str) -> None:
    ran = bare("doctor", "relay", "-", stdin=mail)
    assert (ran.code, ran.out) == (65, "")
    assert named in ran.err
    assert ran.err.count("\n") == 1


def test_a_file_that_is_missing_or_too_large(bare: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert bare("doctor", "relay", "missing.eml").code == 66
    monkeypatch.setenv("MAILGATE_SMTP__MAX_SIZE", "100 KiB")
    monkeypatch.setenv("MAILGATE_SMTP__MAX_HEADER_SIZE", "50 KiB")
    ran = bare("doctor", "relay", "-", stdin=BARE + b"x" * 200_000)
    assert (ran.code, ran.out) == (65, "")
    assert "max_size" in ran.err


def test_alone_it_shows_its_help(bare: Run) -> None:
    ran = bare("doctor")
    assert ran.code == 2
    assert "relay" in ran.err
