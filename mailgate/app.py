"""The composition root: settings in, a running service or a desk for one command out. The one file that knows all.

``load`` reads the settings; ``serve`` runs until SIGTERM; ``open_desk`` hands a command what it works with. Raises
``Misconfigured`` before any port is opened: a wrong setting, a database that can't be reached, an old schema, a port
in use. Prints nothing and ends nothing: that is the command line's.
"""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_network
from pathlib import Path

from mailgate import demo as demo_world
from mailgate import events, http, mailer, settings as config, smtp, systemd
from mailgate.domain.activity import Activity
from mailgate.domain.address import fold, fold_domain
from mailgate.domain.ledger import Outcome
from mailgate.domain.record import Edition, RecordRef
from mailgate.domain.trust import UNIX, Relay, SenderPair, Trust
from mailgate.errors import BadInput, Deferred, Misconfigured, Refused
from mailgate.intake import Intake, Policy
from mailgate.settings import Settings
from mailgate.store.activities import Activities
from mailgate.store.addresses import Addresses
from mailgate.store.archive import Archive
from mailgate.store.database import Database, open_database
from mailgate.store.directory import Directory
from mailgate.store.imports import Imports
from mailgate.store.ledger import Ledger
from mailgate.store.migrations import check_schema
from mailgate.store.migrations import migrate as migrate_database
from mailgate.store.records import Records
from mailgate.store.users import Users


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What one command works with."""

    users: Users
    records: Records
    addresses: Addresses
    activities: Activities
    ledger: Ledger
    imports: Imports
    intake: Intake
    policy: Policy


def load(path: Path | None) -> Settings:
    """Read the settings: this file, else ``MAILGATE_CONFIG``, else the default place; the environment on top."""
    try:
        return config.load(path, os.environ)
    except config.SettingsError as error:
        raise Misconfigured(str(error)) from error


def check_config(settings: Settings) -> None:
    """Check what can be checked without opening anything."""
    policy(settings)


def policy(settings: Settings) -> Policy:
    """Say in the words of the path what the settings say in those of a person."""
    try:
        return Policy(
            domain=fold_domain(settings.addresses.domain),
            relays=tuple(_relay(relay) for relay in settings.relays),
            edition=Edition(settings.instance.edition),
            pairs=frozenset(SenderPair(fold(pair.envelope), fold(pair.author)) for pair in settings.senders.pairs),
            soft_refuse=settings.soft_refuse,
        )
    except BadInput as error:
        raise Misconfigured(f"senders.pairs or addresses.domain: {error}") from error


def _relay(relay: config.Relay) -> Relay:
    return Relay(
        name=relay.name,
        networks=tuple(ip_network(network) for network in relay.networks if network != UNIX),
        unix=UNIX in relay.networks,
        trust=Trust(relay.trust),
        envelope_must_match=relay.envelope_must_match,
    )


# -- commands -------------------------------------------------------------------------------------------------------


@contextmanager
def open_desk(settings: Settings) -> Iterator[Desk]:
    """Open the store that is there, with the schema of this version, for one command."""
    rules = policy(settings)
    with ExitStack() as stack:
        database = _open(stack, settings, create=False)
        check_schema(database)
        yield _desk(stack, settings, database, rules)


def _open(stack: ExitStack, settings: Settings, *, create: bool) -> Database:
    database = open_database(settings.store.url, create=create, allow_unsafe=settings.store.allow_unsafe)
    stack.callback(database.close)
    return database


def _desk(stack: ExitStack, settings: Settings, database: Database, rules: Policy) -> Desk:
    users = Users(database, rules.domain)
    records = Records(database, rules.edition, rules.domain)
    archive = Archive(database)
    stack.callback(archive.close)
    return Desk(
        users=users,
        records=records,
        addresses=Addresses(database, rules.domain, rules.edition),
        activities=Activities(database, rules.edition),
        ledger=Ledger(database),
        imports=Imports(database, users, records),
        intake=Intake(Directory(database, rules.domain), archive, rules),
        policy=rules,
    )


def migrate(settings: Settings) -> None:
    """Bring the database to the schema of this version; make a SQLite file where there is none."""
    with ExitStack() as stack:
        migrate_database(_open(stack, settings, create=True))


def demo(settings: Settings) -> list[tuple[RecordRef, str]]:
    """Load the small invented world and return a record of each kind with its address."""
    migrate(settings)
    with open_desk(settings) as desk:
        return demo_world.load(desk.users, desk.records, desk.addresses)


def demo_mail(settings: Settings, now: datetime) -> tuple[int, str, Activity | None]:
    """Send the demo's mail through the running service; return its reply and the activity that the mail became."""
    host, port = _smtp_place(settings)
    with open_desk(settings) as desk:
        demo_world.load(desk.users, desk.records, desk.addresses)
        bcc = desk.addresses.show(demo_world.CAMPAIGN, actor="demo").address
        mail = demo_world.a_mail(now)
        code, text = mailer.hand_over(host, port, demo_world.AUTHOR, [bcc], mail)
        newest = desk.activities.list(demo_world.CAMPAIGN, limit=1)
        return code, text, desk.activities.show(newest[0].id) if newest else None


def answer(outcome: Outcome, settings: Settings) -> tuple[int, str]:
    """Give the reply of SMTP to an outcome: its code, and its text from the enhanced code on."""
    return smtp.replies_of(settings.smtp.max_size, settings.replies.help_url).to_outcome(outcome)


def refusal(no: Refused | Deferred, settings: Settings) -> tuple[int, str]:
    """Give the reply of SMTP to a recipient that got no address: its code, and its text from the enhanced code on."""
    return smtp.replies_of(settings.smtp.max_size, settings.replies.help_url).to_recipient(no)
