"""A small invented world to try mailgate with: one record of each kind, some users, one mail.

``load`` may be called again and again. Where something of it is missing, and users or records other than its own exist,
it refuses with ``BadInput``.
``a_mail`` is new each time, so each becomes an activity of its own.
"""

from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid

from mailgate.domain.entry import RecordEntry, UserEntry
from mailgate.domain.record import Edition, RecordKind, RecordRef, exists_in
from mailgate.errors import BadInput, NotFound
from mailgate.store.addresses import Addresses
from mailgate.store.records import Records
from mailgate.store.users import Users

AUTHOR = "anna@muster.example"
CLIENT = "nora.keller@optik.example"
CAMPAIGN = RecordRef(RecordKind.CAMPAIGN, "4711")
_ACTOR = "demo"

USERS = (
    UserEntry.read(AUTHOR, name="Anna Muster", language="de", give=["administer"], aliases=["a.muster@muster.example"]),
    UserEntry.read("luca@muster.example", name="Luca Rossi", language="it"),
    UserEntry.read("support@muster.example", name="Support", kind="shared"),
    UserEntry.read("crm@muster.example", name="CRM", kind="system"),
)

RECORDS = (
    RecordEntry.read("customer:1001", name="Optik Beispiel AG", language="de", email=["info@optik.example"]),
    RecordEntry.read("customer:1002", name="Agentur Kaktus GmbH", language="fr", email=["hallo@kaktus.example"]),
    RecordEntry.read(
        "contact:2001", name="Nora Keller", language="de", email=[CLIENT], relate=["customer=customer:1001"]
    ),
    RecordEntry.read("lead:3001", name="Paolo Bianchi", language="it", email=["paolo@bianchi.example"]),
    RecordEntry.read("opportunity:4001", name="Frühling im Tessin", relate=["customer=customer:1001"]),
    RecordEntry.read(
        str(CAMPAIGN),
        name="Herbst: neue Brillen",
        relate=["customer=customer:1001", "agency=customer:1002"],
        contact=["marketing=contact:2001"],
        user=[f"sales={AUTHOR}", "campaign_management=luca@muster.example"],
    ),
    RecordEntry.read("deal_group:5001", name="Deals Plakat", relate=["customer=customer:1002"]),
    RecordEntry.read("publisher_contract:6001", name="Verlag Lesegut", language="fr"),
)


def load(register: Users, records: Records, addresses: Addresses, edition: Edition) -> list[tuple[RecordRef, str]]:
    """Add what is missing of the world and return a record of each kind that the edition has, with its address."""
    own = [entry for entry in RECORDS if exists_in(entry.record.kind, edition)]
    users = {user.email for user in register.list()}
    there = {known.record for known in records.list()}
    if not {user.email for user in USERS} <= users or not {entry.record for entry in own} <= there:
        _refuse_others(
            users - {entry.email for entry in USERS}, {str(ref) for ref in there - {entry.record for entry in RECORDS}}
        )
    for user in USERS:
        if user.email not in users:
            register.add(user, actor=_ACTOR)
    for entry in own:
        if entry.record not in there:
            records.add(entry, actor=_ACTOR)
    first_of_kind = {entry.record.kind: entry.record for entry in reversed(own)}
    shown = [first_of_kind[kind] for kind in RecordKind if kind in first_of_kind]
    return [(record, addresses.show(record, actor=_ACTOR).address) for record in shown]


def stands(register: Users, records: Records) -> bool:
    """Say whether the user and the campaign of the demo's mail are there, whatever else is."""
    try:
        register.show(AUTHOR)
        records.show(CAMPAIGN)
    except NotFound:
        return False
    return True


def _refuse_others(users: set[str], records: set[str]) -> None:
    if users or records:
        other = min(users | records)
        raise BadInput(f"{other} is not of the demo: it is loaded only where nothing else is; use another data_dir")


def a_mail(at: datetime) -> bytes:
    """Write a mail from a demo user to a client, as a mail program hands it over: no header names a record address."""
    mail = EmailMessage(policy=SMTP)
    mail["From"] = f"Anna Muster <{AUTHOR}>"
    mail["To"] = f"Nora Keller <{CLIENT}>"
    mail["Subject"] = "Ihre Brillen für den Herbst"
    mail["Date"] = format_datetime(at)
    mail["Message-ID"] = make_msgid(domain="muster.example")
    mail.set_content("Guten Tag Frau Keller\n\nDie Entwürfe sind da: https://muster.example/herbst\n\nAnna Muster\n")
    mail.add_alternative(
        '<p>Guten Tag Frau Keller</p><p>Die <a href="https://muster.example/herbst">Entwürfe</a> sind da.</p>',
        subtype="html",
    )
    return mail.as_bytes()
