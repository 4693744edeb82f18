"""The composition root: settings in, a running service or a desk for one command out. The one file that knows all.

``load`` reads the settings; ``serve`` runs until SIGTERM; ``open_desk`` hands a command what it works with,
``outbound`` a job what it logs its mail with. Raises ``Misconfigured`` before any port is opened: a wrong setting, a
database that can't be reached, an old schema, a port in use. Prints nothing and ends nothing: that is
the command line's.
"""

import asyncio
import gc
import os
import select
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from ipaddress import ip_network
from pathlib import Path
from zoneinfo import ZoneInfo

from mailgate import demo as demo_world
from mailgate import doctor, events, http, mailer, reminders, systemd
from mailgate import settings as config
from mailgate.beside import Beside
from mailgate.domain.activity import Activity
from mailgate.domain.address import fold, fold_domain, parse_envelope
from mailgate.domain.diagnosis import Diagnosis
from mailgate.domain.header import with_crlf
from mailgate.domain.ledger import Outcome
from mailgate.domain.record import Edition, RecordRef
from mailgate.domain.reminder import Reminded
from mailgate.domain.trust import UNIX, Relay, SenderPair, Stamp, Trust
from mailgate.domain.user import Language
from mailgate.errors import BadInput, Deferred, Misconfigured, Refused
from mailgate.intake import Intake, Policy
from mailgate.mailauth.authenticator import Authenticator
from mailgate.outbound import Instance as OutboundInstance
from mailgate.outbound import Outbound
from mailgate.ports import Reader
from mailgate.reading import WORKERS, Readers
from mailgate.settings import Settings
from mailgate.settings.model import Relay as RelaySettings
from mailgate.smtp.limits import Limits
from mailgate.smtp.listeners import BoundListener, Listen, open_sockets
from mailgate.smtp.replies import Replies
from mailgate.smtp.server import Server
from mailgate.smtp.tls import Certificates, TlsFiles
from mailgate.store.activities import Activities
from mailgate.store.addresses import Addresses
from mailgate.store.archive import Archive
from mailgate.store.database import Database, open_database
from mailgate.store.directory import Directory
from mailgate.store.handmade import Handmade
from mailgate.store.imports import Imports
from mailgate.store.ledger import Ledger
from mailgate.store.migrations import check_schema
from mailgate.store.migrations import migrate as migrate_database
from mailgate.store.notices import Notices, keep_notice
from mailgate.store.pending import PendingSenders
from mailgate.store.records import Records
from mailgate.store.reminders import Reminders
from mailgate.store.rereading import Rereading
from mailgate.store.speakers import Speakers
from mailgate.store.users import Users
from mailgate.supervisor import Post, Supervisor, Watched
from mailgate.watching import Answering, Asking

_PEER_LEAST = 40  # connections: twice what a Postfix at its defaults opens to one place
LEARN_SECONDS = 2.0  # what a worker that is killed may have counted unseen
PROBE_SECONDS = 3  # less than what watches /readyz waits


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What one command works with."""

    users: Users
    records: Records
    addresses: Addresses
    activities: Activities
    handmade: Handmade
    ledger: Ledger
    imports: Imports
    intake: Intake
    outbound: Outbound
    pending: PendingSenders
    policy: Policy
    rereading: Rereading


def load(path: Path | None) -> Settings:
    """Read the settings: this file, else ``MAILGATE_CONFIG``, else the default place; the environment on top."""
    try:
        return config.load(path, os.environ)
    except config.SettingsError as error:
        raise Misconfigured(str(error)) from error


def check_config(settings: Settings) -> None:
    """Check what can be checked without opening a store or a port."""
    policy(settings)
    if files := _tls_files(settings):
        Certificates(files)


def policy(settings: Settings) -> Policy:
    """Say in the words of the path what the settings say in those of a person."""
    try:
        return Policy(
            domain=fold_domain(settings.addresses.domain),
            relays=tuple(_relay(relay) for relay in settings.relays),
            edition=Edition(settings.instance.edition),
            pairs=frozenset(SenderPair(fold(pair.envelope), fold(pair.author)) for pair in settings.senders.pairs),
            own_domains=frozenset(settings.senders.domains),
            wait=settings.senders.wait,
            soft_refuse=settings.soft_refuse,
        )
    except BadInput as error:
        raise Misconfigured(f"senders.pairs or addresses.domain: {error}") from error


def _relay(relay: RelaySettings) -> Relay:
    return Relay(
        name=relay.name,
        networks=tuple(ip_network(network) for network in relay.networks if network != UNIX),
        unix=UNIX in relay.networks,
        trust=Trust(relay.trust),
        envelope_must_match=relay.envelope_must_match,
        login=bool(relay.login),
        client_certificates=frozenset(relay.client_certificates),
        authserv_id=relay.authserv_id,
        received=1 if relay.received is None else relay.received,
        stamp=Stamp(relay.stamp or Stamp.ABOVE),
        sealers=frozenset(relay.sealers),
        proxies=tuple(ip_network(network) for network in relay.proxies),
        queue_days=relay.queue_days,
    )


# -- commands -------------------------------------------------------------------------------------------------------


@contextmanager
def open_desk(settings: Settings) -> Iterator[Desk]:
    """Open the store that is there, with the schema of this version, for one command."""
    events.set_up()  # log lines on stderr: stdout is for facts
    rules = policy(settings)
    with ExitStack() as stack:
        database = _open(stack, settings, create=False)
        check_schema(database)
        yield _desk(stack, database, rules, settings)


def _open(stack: ExitStack, settings: Settings, *, create: bool) -> Database:
    database = open_database(settings.store.url, create=create, allow_unsafe=settings.store.allow_unsafe)
    stack.callback(database.close)
    return database


def _desk(stack: ExitStack, database: Database, rules: Policy, settings: Settings, *, reading: int = WORKERS) -> Desk:
    users = Users(database, rules.domain)
    records = Records(database, rules.edition, rules.domain)
    readers = _readers(stack, reading)  # they end after the archive: what they are torn from must not be kept
    archive = Archive(database)
    stack.callback(archive.close)
    pending = PendingSenders(
        database,
        keep=timedelta(days=settings.retention.pending_days),
        queue_days={relay.name: relay.queue_days for relay in rules.relays},
    )
    return Desk(
        users=users,
        records=records,
        addresses=Addresses(database, rules.domain, rules.edition),
        activities=Activities(database, rules.edition),
        handmade=Handmade(database, rules.edition, settings.activities.max_document_size),
        ledger=Ledger(database, rules.edition),
        imports=Imports(database, users, records),
        intake=Intake(
            Directory(database, rules.domain),
            archive,
            _authenticator(settings),
            rules,
            pending=pending,
            reader=_beside(stack, readers, database),
        ),
        outbound=_outbound(database, rules, settings, readers),
        pending=pending,
        policy=rules,
        rereading=Rereading(database, rules.domain, readers),
    )


def _readers(stack: ExitStack, workers: int = WORKERS) -> Readers:
    readers = Readers(workers=workers)
    stack.callback(readers.close)
    return readers


def _beside(stack: ExitStack, readers: Readers, database: Database) -> Reader:
    """Have a second processor read, where one process is all that there may be."""
    if database.kind != "sqlite" or (os.cpu_count() or 1) == 1:
        return readers
    beside = Beside(readers)
    stack.callback(beside.close)
    return beside


def _authenticator(settings: Settings) -> Authenticator:
    return Authenticator(settings.dns.servers, settings.dns.timeout_seconds)


@contextmanager
def outbound(settings: Settings) -> Iterator[Outbound]:
    """Open the outbound module for a job that sends mail; what it logs goes to the job's own ``logging``."""
    events.set_up_within()
    rules = policy(settings)
    with ExitStack() as stack:
        database = _open(stack, settings, create=False)
        check_schema(database)
        yield _outbound(database, rules, settings, _readers(stack))


def _outbound(database: Database, rules: Policy, settings: Settings, readers: Readers) -> Outbound:
    instance = OutboundInstance(
        domain=rules.domain,
        edition=rules.edition,
        language=Language(settings.instance.language),
        max_size=settings.smtp.max_size,
        max_header_size=settings.smtp.max_header_size,
    )
    return Outbound(Directory(database, rules.domain), Speakers(database), Notices(database), instance, reader=readers)


def migrate(settings: Settings) -> None:
    """Bring the database to the schema of this version; make a SQLite file where there is none."""
    with ExitStack() as stack:
        migrate_database(_open(stack, settings, create=True))


def examine_relay(settings: Settings, raw: bytes, sender: str | None) -> Diagnosis:
    """Say which kinds of trust a mail that came through a relay supports; opens no store."""
    events.set_up()
    rules = policy(settings)
    return doctor.examine_relay(
        with_crlf(raw),
        None if sender is None else parse_envelope(sender),
        _authenticator(settings).examine,
        pairs=rules.pairs,
        own_domains=rules.own_domains,
    )


def demo(settings: Settings) -> list[tuple[RecordRef, str]]:
    """Load the small invented world and return a record of each kind with its address."""
    migrate(settings)
    with open_desk(settings) as desk:
        return demo_world.load(desk.users, desk.records, desk.addresses, desk.policy.edition)


def demo_mail(settings: Settings, now: datetime) -> tuple[int, str, Activity | None]:
    """Send the demo's mail through the running service; return its reply and the activity that the mail became."""
    host, port = _smtp_place(settings)
    with open_desk(settings) as desk:
        if not demo_world.stands(desk.users, desk.records):
            demo_world.load(desk.users, desk.records, desk.addresses, desk.policy.edition)
        bcc = desk.addresses.show(demo_world.CAMPAIGN, actor="demo").address
        mail = demo_world.a_mail(now)
        code, text = mailer.hand_over(host, port, demo_world.AUTHOR, [bcc], mail)
        newest = next(iter(desk.activities.list(demo_world.CAMPAIGN, limit=1)), None)
        return code, text, desk.activities.show(newest.id) if newest else None


def answer(outcome: Outcome, settings: Settings) -> tuple[int, str]:
    """Give the reply of SMTP to an outcome: its code, and its text from the enhanced code on."""
    reply = _replies(settings).outcome(outcome)
    return reply.code, reply.text


def refusal(no: Refused | Deferred, settings: Settings) -> tuple[int, str]:
    """Give the reply of SMTP to a recipient that means no record: its code, and its text from the enhanced code on."""
    reply = _replies(settings).refusal(no)
    return reply.code, reply.text


def _replies(settings: Settings) -> Replies:
    return Replies(
        max_size=settings.smtp.max_size,
        max_header_size=settings.smtp.max_header_size,
        max_recipients=settings.smtp.max_recipients,
        help_url=settings.replies.help_url,
    )


def remind(settings: Settings, now: Callable[[], datetime]) -> Iterator[Reminded]:
    """Send the task reminders that are due, and tell of each as soon as it is known what became of it."""
    events.set_up()
    rules = policy(settings)
    server = _mail_server(settings)
    instance = reminders.Instance(
        sender=settings.outbound.smtp.from_,
        language=Language(settings.instance.language),
        zone=UTC if settings.instance.timezone == "UTC" else ZoneInfo(settings.instance.timezone),
    )
    with ExitStack() as stack:
        database = _open(stack, settings, create=False)
        check_schema(database)
        store = Reminders(database, rules.edition, keep_notice)
        yield from reminders.remind(store, stack.enter_context(mailer.Mailer(server)), instance, now)


def _mail_server(settings: Settings) -> mailer.MailServer:
    given = settings.outbound.smtp
    for key, value in (("host", given.host), ("from", given.from_)):
        if not value:
            raise Misconfigured(f"outbound.smtp.{key}: is not set: reminders go out by the company's mail server")
    return mailer.MailServer(
        host=given.host,
        port=given.port,
        starttls=given.starttls,
        username=given.username,
        password=mailer.read_password(given.password_file) if given.password_file else "",
    )


def _smtp_place(settings: Settings) -> tuple[str, int]:
    host, _, port = settings.smtp.listen.rpartition(":")
    if not port:
        raise BadInput("smtp.listen is off: the demo sends its mail over SMTP")
    return host.strip("[]"), int(port)


# -- the service ----------------------------------------------------------------------------------------------------


def serve(settings: Settings) -> int:
    """Take mail until SIGTERM or SIGINT; the exit code is 0 when everything ended in time."""
    events.set_up()
    check_config(settings)
    _advise(policy(settings))
    inherited = systemd.inherited_sockets()
    with ExitStack() as stack:
        kind = _check_store(settings)
        workers = _workers(settings, kind)
        listeners = _open_listeners(stack, settings, inherited)
        health = http.bind(settings.metrics.listen) if settings.metrics.listen else None
        if workers == 1:
            return _serve_alone(stack, settings, listeners, health)
        if health is not None:
            stack.callback(health.close)
        gc.collect()
        gc.freeze()  # what all share is not looked through again, and so not copied
        shared = _share(settings, workers)
        return Supervisor(
            workers,
            partial(_be_worker, shared, listeners, health),
            partial(_be_watcher, health, listeners) if health else None,
            partial(_close_all, listeners),
            settings.smtp.drain_seconds,
            _places(settings),
        ).run()


def _check_store(settings: Settings) -> str:
    """Open the store, look whether it can be used, and close it: nothing of it may be shared with other processes."""
    with ExitStack() as stack:
        database = _open(stack, settings, create=True)
        if database.kind == "sqlite":
            migrate_database(database)
        check_schema(database)
        return database.kind


def _workers(settings: Settings, kind: str) -> int:
    return 1 if kind == "sqlite" else settings.smtp.workers or _processors()


def _processors() -> int:
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(there, _quota(Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")) or there))


def _quota(own: Path, groups: Path) -> int | None:
    """Give the processors that a container, or a unit of systemd, may use; ``None`` where that isn't limited."""
    try:
        group = own.read_text("ascii").partition("0::/")[2].strip()
        most, period = (groups / group / "cpu.max").read_text("ascii").split()
        return -(-int(most) // int(period))
    except (OSError, ValueError, ZeroDivisionError):
        return None


def _share(settings: Settings, workers: int) -> Settings:
    """Give the settings of one of several workers: its share of what is limited."""
    smtp = settings.smtp
    peer = max(_PEER_LEAST, -(-smtp.max_connections_per_peer // workers))
    mine = smtp.model_copy(
        update={
            "max_connections": -(-smtp.max_connections // workers),
            "max_connections_per_peer": min(smtp.max_connections_per_peer, peer),
            "bytes_in_flight": max(smtp.max_size, -(-smtp.bytes_in_flight // workers)),  # else it never fits
        }
    )
    return settings.model_copy(update={"smtp": mine})


def _close_all(listeners: Sequence[BoundListener]) -> None:
    for listener in listeners:
        listener.close()


def _be_worker(settings: Settings, listeners: Sequence[BoundListener], health: socket.socket | None, post: Post) -> int:
    if health is not None:
        health.close()
    # the file of a unix socket is all workers': the supervisor takes it away
    lent = [replace(listener, inode=0) for listener in listeners]
    with ExitStack() as stack:
        return _serve_alone(stack, settings, lent, None, post)


def _be_watcher(health: socket.socket, listeners: Sequence[BoundListener], watched: Watched) -> int:
    """Answer what monitors ask until the supervisor ends, or tells us to."""
    for listener in listeners:
        listener.sock.close()
    asking = Asking(watched)
    ready = partial(asking.why_not_ready, PROBE_SECONDS + 0.5)  # a worker says by then that its store doesn't answer
    serving = http.start(health, ready, asking.metrics, asking.is_alive)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    try:
        while not select.select([watched.life], [], [], LEARN_SECONDS)[0]:  # it ends with the supervisor
            asking.learn()
    except SystemExit:
        pass
    finally:
        serving.close()
        asking.close()
    return 0


def _serve_alone(
    stack: ExitStack,
    settings: Settings,
    listeners: Sequence[BoundListener],
    health: socket.socket | None,
    post: Post | None = None,
) -> int:
    """Take mail in this process. With a ``post`` it is one of several."""
    rules = policy(settings)
    database = _open(stack, settings, create=False)
    # of big mails two are read at once on a machine; with more workers, one by each
    desk = _desk(stack, database, rules, settings, reading=WORKERS if post is None else 1)
    server = Server(
        desk.intake,
        _limits(settings),
        listeners,
        hostname=rules.domain,  # never the machine's own name: Postfix there would take us for itself
        tls=_tls_files(settings),
        help_url=settings.replies.help_url,
    )
    why_not = partial(_unready, server, database, Directory(database, rules.domain))
    probe = ThreadPoolExecutor(1, thread_name_prefix="probe")
    stack.callback(probe.shutdown, wait=False, cancel_futures=True)
    ready = partial(_unready_in_time, probe, why_not)
    if health is not None:
        stack.callback(http.start(health, ready, events.render_metrics).close)
    return asyncio.run(_until_told(server, settings, ready, post))


def _advise(rules: Policy) -> None:
    for relay in rules.relays:
        if relay.trust is Trust.VOUCHED and not relay.envelope_must_match and not relay.login:
            events.advised(
                f"relays.{relay.name}: a bare From is believed (envelope_must_match is off, no login is asked for): "
                "right only where that server checks From itself."
            )


def _limits(settings: Settings) -> Limits:
    given = settings.smtp
    return Limits(
        max_size=given.max_size,
        max_header_size=given.max_header_size,
        max_recipients=given.max_recipients,
        max_connections=given.max_connections,
        max_connections_per_peer=given.max_connections_per_peer,
        bytes_in_flight=given.bytes_in_flight,
        command_seconds=given.command_seconds,
        data_seconds=given.data_seconds,
        drain_seconds=given.drain_seconds,
    )


def _open_listeners(
    stack: ExitStack, settings: Settings, inherited: Mapping[str, Sequence[socket.socket]]
) -> list[BoundListener]:
    wished: list[Listen] = []
    if settings.smtp.listen:
        wished.append(Listen("smtp", settings.smtp.listen))
    if settings.lmtp.listen:
        wished.append(Listen("lmtp", settings.lmtp.listen))
    opened = open_sockets(wished, inherited)
    if not opened:
        raise Misconfigured("smtp.listen and lmtp.listen are both off: there is nothing to take mail from")
    for listener in opened:
        stack.callback(listener.close)
    return opened


def _tls_files(settings: Settings) -> TlsFiles | None:
    if settings.smtp.tls_cert is None or settings.smtp.tls_key is None:
        return None
    wanted = any(relay.client_certificates for relay in settings.relays)
    return TlsFiles(settings.smtp.tls_cert, settings.smtp.tls_key, settings.smtp.tls_client_ca if wanted else None)


def _unready_in_time(probe: ThreadPoolExecutor, why_not: Callable[[], str | None]) -> str | None:
    try:
        return probe.submit(why_not).result(PROBE_SECONDS)
    except TimeoutError:
        return f"the store does not answer within {PROBE_SECONDS} s"


def _unready(server: Server, database: Database, directory: Directory) -> str | None:
    """Say why no mail would be taken now, or ``None``."""
    if server.draining:
        return "shutting down"
    try:
        if not directory.has_users():
            return "no user is registered: every mail would be deferred (mailgate user add)"
        if not directory.has_addresses():
            return "no record address was made yet: every mail would be deferred (mailgate address show)"
        database.ping()
        with database.write():
            pass  # the writer's lock can be had
        events.store_state(database.kind, up=True)
    except Deferred as down:
        events.store_state(database.kind, up=False)
        return f"the store does not answer ({down.reason.value})"
    return None


async def _until_told(server: Server, settings: Settings, ready: Callable[[], str | None], post: Post | None) -> int:
    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    loop.add_signal_handler(signal.SIGHUP, _reload, server, post)
    await server.start()
    if post is None:
        heart = asyncio.create_task(_beat())
        systemd.ready()
    else:
        answering = Answering(post, ready)
        loop.add_reader(post.life, _orphaned, loop, post, told)
        heart = asyncio.create_task(_beat_for(post))
        post.ready()
    if post is None:
        events.started(**_places(settings))
    await told.wait()
    if post is None:
        systemd.stopping()
        events.stopping(connections=server.connections)
    cut_off = await server.drain()
    heart.cancel()
    if post is not None:
        answering.end()
    if post is None or cut_off:
        events.stopped(cut_off=cut_off)
    return 0


def _places(settings: Settings) -> dict[str, str | int]:
    return {"smtp": settings.smtp.listen, "lmtp": settings.lmtp.listen, "metrics": settings.metrics.listen}


def _orphaned(loop: asyncio.AbstractEventLoop, post: Post, told: asyncio.Event) -> None:
    """Drain: nobody would start us again, or tell us to end."""
    loop.remove_reader(post.life)
    told.set()


async def _beat_for(post: Post) -> None:
    """Tell the supervisor that the loop turns."""
    while True:
        post.beat()
        await asyncio.sleep(1)


def _reload(server: Server, post: Post | None) -> None:
    if post is not None:  # the supervisor tells systemd
        server.reload_tls()
        post.reloaded()
        return
    systemd.reloading()
    server.reload_tls()
    systemd.ready()


async def _beat() -> None:
    """Tell systemd's watchdog that the loop turns."""
    seconds = systemd.watchdog_seconds()
    while seconds:
        systemd.alive()
        await asyncio.sleep(seconds)
