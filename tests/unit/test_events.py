import io
import json
import logging
import os
from collections.abc import Iterator
from contextlib import suppress

import pytest

from mailgate import events
from mailgate.domain.ledger import Outcome, Verdict
from mailgate.errors import Reason


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """Catch what goes to stderr, as JSON lines, and leave logging as it was."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    caught = io.StringIO()
    monkeypatch.setattr("sys.stderr", caught)
    events.set_up()
    yield caught
    root.handlers[:], _ = before
    root.setLevel(before[1])


def told(lines: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in lines.getvalue().splitlines()]


def finish(*outcomes: Outcome, author: str | None = "anna@muster.example") -> None:
    events.mail_finished(
        outcomes,
        relay="mta",
        records=("campaign:4711",),
        queue_id="4bKxyz",
        author=author,
        message_id="<1@muster.example>",
        size=5,
        at=1_000.0,
    )


KEPT = Outcome(recipient="secret@log.example", verdict=Verdict.KEPT, ledger_id="L1", activity="A1")
REFUSED = Outcome(recipient="secret@log.example", verdict=Verdict.REFUSED, reason=Reason.UNKNOWN_SENDER)


def test_a_mail_is_one_line_that_names_what_one_looks_for(lines: io.StringIO) -> None:
    finish(KEPT)
    (line,) = told(lines)
    assert line.items() >= {
        "event": "mail", "verdict": "kept", "reason": "-", "record": "campaign:4711", "ledger": "L1", "activity": "A1",
        "relay": "mta", "queue_id": "4bKxyz", "author": "anna@muster.example", "size": 5, "level": "info",
    }.items()  # fmt: skip


def test_no_record_address_reaches_the_log(lines: io.StringIO) -> None:
    finish(KEPT, REFUSED)
    assert "secret" not in lines.getvalue()


def test_different_verdicts_on_one_mail_are_listed_in_order(lines: io.StringIO) -> None:
    finish(KEPT, REFUSED)
    (line,) = told(lines)
    assert line["verdict"] == "kept refused"
    assert line["reason"] == "- unknown_sender"


@pytest.mark.parametrize("hostile", ["a\r\nforged line", "\x1b[31mred", "nul\0", "bidi \u202e", "next\u2028line"])
def test_control_characters_are_escaped(lines: io.StringIO, hostile: str) -> None:
    finish(REFUSED, author=hostile)
    (line,) = told(lines)
    assert str(line["author"]).isprintable()


def test_a_value_is_cut(lines: io.StringIO) -> None:
    finish(REFUSED, author="a" * 10_000)
    assert len(lines.getvalue()) < 2 * events.MAX_VALUE


def test_a_surprise_names_its_place_but_never_quotes(lines: io.StringIO) -> None:
    with pytest.raises(ValueError, match="content of a mail") as bug:
        int("content of a mail")
    events.surprise("receive", bug.value)
    (line,) = told(lines)
    assert line["error"] == "ValueError"
    assert "test_a_surprise" in str(line["path"])
    assert "content of a mail" not in lines.getvalue()


@pytest.mark.parametrize("library", ["sqlalchemy.pool", "psycopg.pool"])
def test_what_libraries_quote_goes_nowhere(lines: io.StringIO, library: str) -> None:
    logging.getLogger(library).error("b'RCPT TO:<secret@log.example>'")
    assert lines.getvalue() == ""


def test_other_libraries_warnings_join_the_same_lines(lines: io.StringIO) -> None:
    logging.getLogger("asyncio").warning("odd\x1b")
    (line,) = told(lines)
    assert str(line["event"]).isprintable()


def sample(name: str, **labels: str) -> float:
    return events.registry.get_sample_value(name, labels) or 0.0


def test_each_recipient_is_counted_by_verdict_and_reason(lines: io.StringIO) -> None:
    kept, refused = (
        sample("mailgate_mails_total", verdict="kept", reason=""),
        sample("mailgate_mails_total", verdict="refused", reason="unknown_sender"),
    )
    finish(KEPT, REFUSED, REFUSED)
    assert sample("mailgate_mails_total", verdict="kept", reason="") == kept + 1
    assert sample("mailgate_mails_total", verdict="refused", reason="unknown_sender") == refused + 2
    assert sample("mailgate_last_kept_timestamp_seconds") == 1_000.0


def test_no_metric_is_labelled_with_what_a_stranger_sent() -> None:
    labels = {label for family in events.registry.collect() for one in family.samples for label in one.labels}
    assert labels <= {"verdict", "reason", "relay", "store", "version", "le"}


@pytest.mark.parametrize(("deferred", "verdict"), [(False, "refused"), (True, "deferred")])
def test_what_is_turned_down_before_any_mail_is_told_and_counted(
    lines: io.StringIO, deferred: bool, verdict: str
) -> None:
    before = sample("mailgate_mails_total", verdict=verdict, reason="too_large")
    events.turned_down(relay="mta", reason=Reason.TOO_LARGE, deferred=deferred)
    (line,) = told(lines)
    assert line.items() >= {"event": "turned down", "verdict": verdict, "reason": "too_large", "relay": "mta"}.items()
    assert sample("mailgate_mails_total", verdict=verdict, reason="too_large") == before + 1


class Closed(io.StringIO):
    """A stream that takes nothing any more."""

    def write(self, _: str) -> int:
        raise BrokenPipeError


def test_a_log_that_takes_nothing_stops_nothing(monkeypatch: pytest.MonkeyPatch, lines: io.StringIO) -> None:
    monkeypatch.setattr("sys.stderr", Closed())
    events.set_up()
    finish(KEPT)
    monkeypatch.setattr("sys.stderr", lines)
    events.set_up()
    finish(KEPT)
    assert len(told(lines)) == 1


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("anna@muster.example", "anna@muster.example"),
        ("Zürich 東京", "Zürich 東京"),
        ('"quoted" \\ back', '"quoted" \\ back'),
        ("a\nb\r\x00\x1b[31m\x7f", "a\\nb\\r\\x00\\x1b[31m\\x7f"),
        ("a\u2028b\u202ec\u200bd", "a\\u2028b\\u202ec\\u200bd"),
        ("lone \ud800 surrogate", "lone \\ud800 surrogate"),
        ("x" * 400, "x" * 300),
        ("\n" * 400, "\\n" * 300),
    ],
)
def test_whatever_a_value_holds_it_stays_in_its_place_on_its_line(lines: io.StringIO, value: str, shown: str) -> None:
    finish(KEPT, author=value)
    (line,) = lines.getvalue().splitlines()
    assert json.loads(line)["author"] == shown
    assert list(json.loads(line))[:3] == ["timestamp", "level", "event"]


def test_a_log_that_nobody_reads_stops_nothing_and_says_later_what_was_lost(
    monkeypatch: pytest.MonkeyPatch, lines: io.StringIO
) -> None:
    monkeypatch.setattr(events, "PATIENCE", 0.05)
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    with open(writing, "w", encoding="utf-8") as stuck:  # noqa: PTH123 - a descriptor
        monkeypatch.setattr("sys.stderr", stuck)
        events.set_up()
        for _ in range(3000):  # far more than a pipe holds
            finish(KEPT)
        read = drained(reading)
        finish(KEPT, author="first@muster.example")
        read += drained(reading)
    os.close(reading)
    told = [json.loads(line) for line in read.decode().splitlines()]
    assert [line["event"] for line in told[-2:]] == ["mail", "lines lost"]
    assert told[-2]["author"] == "first@muster.example"
    assert told[-1]["count"] == 3000 - (len(told) - 2) > 0


def drained(pipe: int) -> bytes:
    read = b""
    with suppress(BlockingIOError):
        while more := os.read(pipe, 65536):
            read += more
    return read
