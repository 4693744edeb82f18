"""One function for each thing that can happen to a mail: one log line, one counter.

Lines go to stderr, as JSON unless it is a terminal. They never hold the content of a mail, a secret or a record
address; every string is escaped (no control character gets through) and cut at 300 characters. Labels of metrics
are verdict, reason, relay name and store, never an address, a record or a peer. An exception is logged as its type
and the lines it went through, without its text: driver errors quote what they were given.
"""

import logging
import select
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from functools import cache
from typing import Any, TextIO

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import Metric

from mailgate import __version__
from mailgate.domain.ledger import Outcome, Verdict
from mailgate.errors import Reason
from mailgate.sums import Families, Family

MAX_VALUE = 300
PATIENCE = 1.0  # seconds
# Libraries that quote what they were given: the drivers statements and rows. What goes wrong in them is told by events
# of ours.
QUIET = ("sqlalchemy", "psycopg")
METRICS_TYPE = CONTENT_TYPE_LATEST

registry = CollectorRegistry()

_MAILS = Counter("mailgate_mails", "Verdicts on mails, one per recipient", ["verdict", "reason"], registry=registry)
_REPLY_SECONDS = Histogram(
    "mailgate_reply_seconds",
    "From the end of DATA to the reply",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
    registry=registry,
)
_MAIL_BYTES = Histogram(
    "mailgate_mail_bytes",
    "Size of mails at the end of DATA",
    buckets=(1e3, 5e3, 2e4, 1e5, 5e5, 1e6, 5e6, 1e7, 2.5e7, 5e7),
    registry=registry,
)
_CONNECTIONS = Gauge("mailgate_connections", "Open SMTP and LMTP connections", registry=registry)
_COMMIT_MAILS = Histogram(
    "mailgate_commit_mails", "Mails per commit", buckets=(1, 2, 5, 10, 20, 50, 100), registry=registry
)
_STORE_UP = Gauge("mailgate_store_up", "1 while the store answers", ["store"], registry=registry)
_LAST_KEPT = Gauge("mailgate_last_kept_timestamp_seconds", "When a mail was last kept, Unix time", registry=registry)
_BAD_RECIPIENTS = Counter("mailgate_bad_recipients", "Recipients refused at RCPT", ["reason"], registry=registry)
_TURNED_AWAY = Counter("mailgate_turned_away", "Connections refused before any mail", ["reason"], registry=registry)
_DNS_QUESTIONS = Counter("mailgate_dns_questions", "Questions to the name servers", ["verdict"], registry=registry)
_RESTARTS = Counter("mailgate_worker_restarts", "Workers that ended and were started again", registry=registry)
_BUILD = Gauge("mailgate_build_info", "The version that runs", ["version"], registry=registry)
_BUILD.labels(__version__).set(1)

_log: structlog.stdlib.BoundLogger = structlog.get_logger("mailgate")


def escape(value: object) -> object:
    """Make a value harmless in a log: strings lose control characters and length, other values stay."""
    if not isinstance(value, str):
        return value
    cut = value[:MAX_VALUE]
    if cut.isprintable():
        return cut
    return "".join(char if char.isprintable() else char.encode("unicode_escape", "backslashreplace").decode("ascii")
                   for char in cut)  # fmt: skip


def _escape_all(_logger: object, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    first = {key: event[key] for key in ("timestamp", "level", "event") if key in event}
    return {key: escape(value) for key, value in {**first, **event}.items()}


class _Lines:
    """Writes lines to the stream of a handler. A line that can't be written is lost, and nothing else with it.

    Where nobody reads, the first line waits for ``PATIENCE`` and those after it not at all, until there is room again.
    """

    handler: "logging.StreamHandler[TextIO] | None" = None
    lost = 0

    def write(self, line: str) -> None:
        """Write one line at once; others' lines come before or after it."""
        handler = self.handler
        if handler is None:
            return
        handler.acquire()
        try:
            if not _has_room(handler.stream, 0 if self.lost else PATIENCE):
                self.lost += 1
                return
            lost, self.lost = self.lost, 0
            handler.stream.write(f"{line}\n")
            handler.stream.flush()
        except (OSError, ValueError):  # the pipe is closed, or the disk is full
            return
        finally:
            handler.release()
        if lost:
            _log.warning("lines lost", count=lost)

    info = warning = error = write


def _has_room(stream: TextIO, seconds: float) -> bool:
    """Wait for room; what has room at all takes a line of 4 KiB without waiting, if nobody else writes there."""
    try:
        number = stream.fileno()
    except (OSError, ValueError):  # no file: a test's
        return True
    poll = select.poll()
    poll.register(number, select.POLLOUT)
    return bool(poll.poll(seconds * 1000))


_LINES = _Lines()


def set_up(*, as_json: bool | None = None) -> None:
    """Send log lines to stderr; ``as_json=None`` means JSON unless stderr is a terminal."""
    json_lines = not sys.stderr.isatty() if as_json is None else as_json
    chain: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _escape_all,
    ]
    # our own lines go straight to the stream: the way through logging costs three times as much as all the rest
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if json_lines
        else structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        foreign_pre_chain=chain,
    )
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("mailgate").setLevel(logging.INFO)
    for name in QUIET:
        quiet = logging.getLogger(name)
        quiet.handlers[:] = [logging.NullHandler()]
        quiet.propagate = False
    _LINES.handler = handler
    structlog.configure(
        processors=[*chain, renderer],
        logger_factory=lambda *_: _LINES,
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=True,
    )


def set_up_within() -> None:
    """Hand log lines to the ``logging`` of a program that we are part of; its handlers and levels stay its own."""
    if structlog.is_configured():
        return
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            _escape_all,
            structlog.processors.KeyValueRenderer(key_order=["event"]),
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )


def families() -> list[Family]:
    """Give the metrics in plain values."""
    return [
        {
            "name": metric.name,
            "type": metric.type,
            "help": metric.documentation,
            "samples": [{"name": each.name, "labels": each.labels, "value": each.value} for each in metric.samples],
        }
        for metric in registry.collect()
    ]


class _Families:
    """Stands for a registry."""

    def __init__(self, told: Families) -> None:
        self._told = told

    def collect(self) -> Iterator[Metric]:
        """Give the metrics."""
        for family in self._told:
            metric = Metric(family["name"], family["help"], family["type"])
            for sample in family["samples"]:
                metric.add_sample(sample["name"], sample["labels"], sample["value"])
            yield metric


def render_families(told: Families) -> bytes:
    """Give such metrics in the Prometheus text format."""
    return generate_latest(_Families(told))


def render_metrics() -> bytes:
    """Give the metrics in the Prometheus text format (``METRICS_TYPE``)."""
    return generate_latest(registry)


# to look for the one of these labels takes longer than to count
@cache
def _mails(verdict: Verdict, reason: Reason | None) -> Counter:
    return _MAILS.labels(verdict.value, reason.value if reason else "")


@cache
def _store_up(store: str) -> Gauge:
    return _STORE_UP.labels(store)


# -- a mail ---------------------------------------------------------------------------------------------------------


def mail_finished(
    outcomes: tuple[Outcome, ...],
    *,
    relay: str,
    records: tuple[str, ...],
    queue_id: str | None,
    author: str | None,
    message_id: str | None,
    size: int,
    at: float,
) -> None:
    """Every recipient of a mail has its verdict. ``at`` is Unix time."""
    for outcome in outcomes:
        _mails(outcome.verdict, outcome.reason).inc()
    _MAIL_BYTES.observe(size)
    if any(outcome.verdict is Verdict.KEPT for outcome in outcomes):
        _LAST_KEPT.set(at)
    _log.info(
        "mail",
        verdict=_joined(outcome.verdict.value for outcome in outcomes),
        reason=_joined(outcome.reason.value if outcome.reason else "-" for outcome in outcomes),
        record=" ".join(records),
        ledger=" ".join(outcome.ledger_id or "-" for outcome in outcomes),
        activity=" ".join(outcome.activity or "-" for outcome in outcomes),
        relay=relay,
        queue_id=queue_id,
        author=author,
        message_id=message_id,
        size=size,
    )


def _joined(words: Iterable[str]) -> str:
    found = list(words)
    return found[0] if found and len(set(found)) == 1 else " ".join(found)


def replied(seconds: float) -> None:
    """The reply to a mail was written, this long after its last byte came."""
    _REPLY_SECONDS.observe(seconds)


def recipient_refused(*, relay: str, reason: Reason, masked: str, deferred: bool = False) -> None:
    """A recipient got its no at RCPT. ``masked`` is never the whole address."""
    verdict = Verdict.DEFERRED if deferred else Verdict.REFUSED
    if reason is not Reason.PENDING_SENDER:  # the address was right
        _BAD_RECIPIENTS.labels(reason.value).inc()
    _MAILS.labels(verdict.value, reason.value).inc()
    _log.info("recipient", verdict=verdict.value, reason=reason.value, relay=relay, recipient=masked)


def turned_down(*, relay: str, reason: Reason, deferred: bool) -> None:
    """Tell of a transaction or recipient that was turned down before any mail: SIZE=, busy, too many recipients."""
    verdict = Verdict.DEFERRED if deferred else Verdict.REFUSED
    _MAILS.labels(verdict.value, reason.value).inc()
    _log.info("turned down", verdict=verdict.value, reason=reason.value, relay=relay)


def notice_logged(*, kind: str, record: str, activity: str, languages: str, again: bool) -> None:
    """A mail that the CRM sent is logged; ``again`` where it was already."""
    _log.info("notice", kind=kind, record=record, activity=activity, languages=languages, again=again)


def reading_failed(*, why: str, size: int) -> None:
    """A mail could not be read, or no process to read it in be had: it is kept with a note, or read another way."""
    _log.warning("reading", why=why, size=size)


# -- a connection ---------------------------------------------------------------------------------------------------


def connection_opened() -> None:
    """A client is connected."""
    _CONNECTIONS.inc()


def connection_closed() -> None:
    """A client is gone."""
    _CONNECTIONS.dec()


def turned_away(*, peer: str, reason: Reason) -> None:
    """A client was refused before it could say anything (no registered relay, or too many connections)."""
    _TURNED_AWAY.labels(reason.value).inc()
    _log.warning("turned away", peer=peer, reason=reason.value)


def protocol_trouble(*, relay: str, what: str) -> None:
    """A client broke the protocol or let a deadline pass; ``what`` is a fixed text of ours."""
    _log.info("protocol", relay=relay, what=what)


def dns_asked(verdict: str) -> None:
    """Count a question to the DNS: ``answer``, ``empty`` (no such name or data), ``trouble`` or ``hurried``."""
    _DNS_QUESTIONS.labels(verdict).inc()


# -- the store ------------------------------------------------------------------------------------------------------


def committed(mails: int) -> None:
    """A commit holds this many mails."""
    _COMMIT_MAILS.observe(mails)


def store_state(store: str, *, up: bool) -> None:
    """The store (``sqlite`` or ``postgresql``) answered, or didn't."""
    _store_up(store).set(1 if up else 0)


def store_trouble(store: str, error: BaseException) -> None:
    """A look-up or commit failed; what waited for it is deferred."""
    _store_up(store).set(0)
    _log.error("store", store=store, error=type(error).__name__, where=_where(error))


# -- the service ----------------------------------------------------------------------------------------------------


def started(**facts: str | int) -> None:
    """The service takes mail; ``facts`` say where and with what."""
    _log.info("started", version=__version__, **facts)


def advised(what: str) -> None:
    """Something an operator should know or mend; ``what`` is a sentence of ours."""
    _log.warning("advice", what=what)


def worker_ended(*, number: int, code: int) -> None:
    """A worker (or the watcher) ended although nobody told it to; another is started. Negative: by that signal."""
    _log.error("worker ended", worker=number, code=code)


def workers_restarted(number: int) -> None:
    """So many workers were started again."""
    _RESTARTS.inc(number)


def reloaded(what: str) -> None:
    """SIGHUP was obeyed."""
    _log.info("reloaded", what=what)


def stopping(**facts: int) -> None:
    """SIGTERM: no new clients; mails in flight are let finish. ``facts``: how many connections, where that is known."""
    _log.info("stopping", **facts)


def stopped(**facts: int) -> None:
    """The service ends. ``cut_off``: connections that did not finish in time (their mails were not acknowledged)."""
    _log.info("stopped", **facts)


def surprise(where: str, error: BaseException) -> None:
    """A bug of ours: what it hit was deferred, never refused. The text of the error may quote a mail: left out."""
    _log.error("surprise", where=where, error=type(error).__name__, path=_where(error))


def _where(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    return " > ".join(f"{frame.filename.rpartition('/')[2]}:{frame.lineno}:{frame.name}" for frame in frames)
