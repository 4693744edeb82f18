"""The tables, for SQLite and PostgreSQL alike.

    user_account --< user_address, user_role
    record       --< record_email, record_relation, record_contact, record_user, address
    mail         --< reading --< reading_party, document, link, reading_note;  reading --- reading_body
                 --< piece: its bytes, at most 1 MiB each, by mail.upload;  upload: those that no mail claimed yet
    activity     --> record, mail, user_account;  --< participation, activity_note, reminder
                 --< activity_content, activity_sent, activity_document, activity_link: of those that aren't a mail's
    receipt      (record, identity) -> kept | deleted | erased: outlives its activity, so that a mail comes once
    removal      who took an activity away, when and why; never what it held
    ledger       one row per recipient verdict;  audit: who changed an address, a record, a user
    pending_sender --> address: whose mail is put off until they are users

What people sent is in ``mail``, ``piece``, ``reading`` and what hangs on it, and in ``activity`` with its notes and
content: the triggers of ``store.triggers`` keep all of that as it was written, save for hand-made activities.
``participation`` (whom we know a participant as) and ``activity.topic`` stand apart: they are ours and may change.

Times are UTC. Keys that people see (activity, ledger) are UUIDs of version 7, so they sort by age. A record address
is stored by its local part; the domain is the instance's.
"""

from datetime import UTC, datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    Uuid,
    false,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Utc(TypeDecorator[datetime]):
    """A moment: aware in Python, ``timestamptz`` on PostgreSQL, ISO text without zone (UTC) on SQLite."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Write in UTC; a moment without a zone is a bug of ours."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment needs a zone")
        in_utc = value.astimezone(UTC)
        return in_utc.replace(tzinfo=None) if dialect.name == "sqlite" else in_utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Read in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


# SQLite makes only INTEGER PRIMARY KEY a row id
_Key = BigInteger().with_variant(Integer(), "sqlite")
_Id = Uuid(as_uuid=False)


def _key() -> Column[int]:
    return Column("id", _Key, primary_key=True, autoincrement=True)


def _of_tasks(name: str, which: str) -> Index:
    where = text(f"type = 'task' AND {which}")
    return Index(name, "record_id", "type", "occurred_at", "id", sqlite_where=where, postgresql_where=where)


user_account = Table(
    "user_account",
    metadata,
    _key(),
    Column("email", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("kind", String(10), nullable=False),
    Column("language", String(2)),
    Column("enabled", Boolean, nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("accept_automatic", Boolean, nullable=False, server_default=false()),
)

# every address that may write as the user, the main one too: unique over all users
user_address = Table(
    "user_address",
    metadata,
    Column("email", Text, primary_key=True),
    Column("user_id", ForeignKey("user_account.id", ondelete="CASCADE"), nullable=False, index=True),
)

user_role = Table(
    "user_role",
    metadata,
    Column("user_id", ForeignKey("user_account.id", ondelete="CASCADE"), primary_key=True),
    Column("role", String(30), primary_key=True),
)

record = Table(
    "record",
    metadata,
    _key(),
    Column("kind", String(20), nullable=False),
    Column("ref", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("language", String(2)),
    Column("state", String(10), nullable=False),
    Column("created_at", Utc, nullable=False),
    UniqueConstraint("kind", "ref"),
)

record_email = Table(
    "record_email",
    metadata,
    Column("record_id", ForeignKey("record.id", ondelete="CASCADE"), primary_key=True),
    Column("email", Text, primary_key=True, index=True),
)

record_relation = Table(
    "record_relation",
    metadata,
    Column("record_id", ForeignKey("record.id", ondelete="CASCADE"), primary_key=True),
    Column("role", Text, primary_key=True),
    Column("other_id", ForeignKey("record.id"), primary_key=True, index=True),
)

record_contact = Table(
    "record_contact",
    metadata,
    Column("record_id", ForeignKey("record.id", ondelete="CASCADE"), primary_key=True),
    Column("role", Text, primary_key=True),
    Column("contact_id", ForeignKey("record.id"), primary_key=True, index=True),
)

record_user = Table(
    "record_user",
    metadata,
    Column("record_id", ForeignKey("record.id", ondelete="CASCADE"), primary_key=True),
    Column("role", Text, primary_key=True),
    Column("user_id", ForeignKey("user_account.id"), primary_key=True, index=True),
)

address = Table(
    "address",
    metadata,
    _key(),
    Column("local", String(40), nullable=False, unique=True),
    Column("record_id", ForeignKey("record.id"), nullable=False, index=True),
    Column("state", String(10), nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("expires_at", Utc),
    Column("exposed_at", Utc),
    Column("last_used_at", Utc),
)

# -- what was sent: written once ------------------------------------------------------------------------------------

mail = Table(
    "mail",
    metadata,
    Column("sha256", LargeBinary(32), primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("upload", _Id, nullable=False, unique=True),
    # the reading that counts; the one column that may change, and so apart from the bytes: SQLite rewrites whole rows
    Column("reading_id", _Id, nullable=False),
)

# the bytes of a big mail that is on its way: written before the mail that claims them, which takes this row away
upload = Table(
    "upload",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("started_at", Utc, nullable=False),
)

piece = Table(
    "piece",
    metadata,
    Column("upload", _Id, primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("bytes", LargeBinary, nullable=False),
)

reading = Table(
    "reading",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("mail_sha256", ForeignKey("mail.sha256"), nullable=False),
    Column("version", Integer, nullable=False),  # counts the readings of a mail
    Column("subject", Text, nullable=False),
    Column("sent_at", Utc),
    Column("message_id", Text, nullable=False),
    Column("folds", Text, nullable=False, server_default="[]"),  # JSON: [kind, start, end] each
    # mime.READER_VERSION of the last reader that read just this; what counted for nothing before stood at 1
    Column("reader", Integer, nullable=False, server_default="1"),
    UniqueConstraint("mail_sha256", "version"),
    Index("ix_reading_reader", "reader", "id"),  # what is to be read again
)

# apart from reading, so that a listing never touches it
reading_body = Table(
    "reading_body",
    metadata,
    Column("reading_id", ForeignKey("reading.id"), primary_key=True),
    Column("text", Text, nullable=False),
    Column("html", Text, nullable=False),
)

reading_party = Table(
    "reading_party",
    metadata,
    Column("reading_id", ForeignKey("reading.id"), primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("header", String(10), nullable=False),
    Column("email", Text, nullable=False),
    Column("name", Text, nullable=False),
)

document = Table(
    "document",
    metadata,
    Column("reading_id", ForeignKey("reading.id"), primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("inline", Boolean, nullable=False),
    Column("content_id", Text, nullable=False, server_default=""),
    Column("appointment", Text),  # JSON: what a calendar says
)

link = Table(
    "link",
    metadata,
    Column("reading_id", ForeignKey("reading.id"), primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("url", Text, nullable=False),
)

reading_note = Table(
    "reading_note",
    metadata,
    Column("reading_id", ForeignKey("reading.id"), primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("code", String(40), nullable=False),
    Column("text", Text, nullable=False),
)

# tasks that are not done and have a day for it: few among all activities
_TO_REMIND = text("remind_on IS NOT NULL AND done_at IS NULL")

activity = Table(
    "activity",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("record_id", ForeignKey("record.id"), nullable=False),
    Column("type", String(20), nullable=False),
    Column("topic", String(40), nullable=False),
    Column("topic_by", ForeignKey("user_account.id")),
    Column("topic_at", Utc),
    Column("origin", String(10), nullable=False),
    Column("occurred_at", Utc, nullable=False),
    Column("recorded_at", Utc, nullable=False),
    Column("recorder_id", ForeignKey("user_account.id"), nullable=False, index=True),
    Column("mail_sha256", ForeignKey("mail.sha256"), index=True),
    Column("author", Text),
    Column("envelope_from", Text),
    Column("message_id", Text),
    Column("trust", String(10), nullable=False),
    Column("place", Text),
    Column("due_on", Date),
    Column("remind_on", Date),
    Column("done_at", Utc),
    Column("subject", Text),  # of those that aren't a mail's; else null
    Column("notification", String(30)),  # what kind of system mail
    Column("fingerprint", String(64)),  # SHA-256 of what a job handed over, to know it again
    # one for each thing that a listing may be narrowed by, so that it walks along nothing else
    Index("ix_activity_listing", "record_id", "occurred_at", "id"),
    Index("ix_activity_type", "record_id", "type", "occurred_at", "id"),
    Index("ix_activity_topic", "record_id", "topic", "occurred_at", "id"),
    Index("ix_activity_type_topic", "record_id", "type", "topic", "occurred_at", "id"),
    _of_tasks("ix_activity_open", "done_at IS NULL"),
    _of_tasks("ix_activity_done", "done_at IS NOT NULL"),
    Index("ix_activity_message_id", "record_id", "message_id"),
    Index("ix_activity_to_remind", "remind_on", sqlite_where=_TO_REMIND, postgresql_where=_TO_REMIND),
)

activity_note = Table(
    "activity_note",
    metadata,
    Column("activity_id", ForeignKey("activity.id", ondelete="CASCADE"), primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("code", String(40), nullable=False),
    Column("text", Text, nullable=False),
)

# whom we know a participant as; follows the register, so it may change. A party of a mail without a row here is no
# participant: that is how an address of ours in To or Cc is left out. Parties without a readable address share "".
# Record and time of the activity stand here too, so that an index gives the newest activities of a person on a record.
participation = Table(
    "participation",
    metadata,
    Column("activity_id", ForeignKey("activity.id", ondelete="CASCADE"), primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("email", Text, nullable=False),
    Column("name", Text),  # null: as the mail names it
    Column("header", String(10)),  # null: as the mail says, or hand-made
    Column("side", String(10), nullable=False),
    Column("record_id", ForeignKey("record.id")),  # the contact's or lead's
    Column("activity_record_id", _Key, nullable=False),
    Column("occurred_at", Utc, nullable=False),
    Index("ix_participation_email", "email", "side", "activity_record_id", "occurred_at", "activity_id"),
    Index("ix_participation_person", "record_id", "activity_record_id", "occurred_at", "activity_id"),
)

# the words of an activity in each of its languages; "" is the one of a hand-made activity. All three texts are null
# where a finished mail was handed over: its reading has them.
activity_content = Table(
    "activity_content",
    metadata,
    Column("activity_id", ForeignKey("activity.id", ondelete="CASCADE"), primary_key=True),
    Column("language", String(2), primary_key=True),
    Column("subject", Text),
    Column("text", Text),
    Column("html", Text),
)

# in which languages each recipient of a system mail got it
activity_sent = Table(
    "activity_sent",
    metadata,
    Column("activity_id", ForeignKey("activity.id", ondelete="CASCADE"), primary_key=True),
    Column("email", Text, primary_key=True),
    Column("language", String(2), primary_key=True),
)

# documents that don't stand in a mail; their bytes are pieces of this upload
activity_document = Table(
    "activity_document",
    metadata,
    Column("activity_id", ForeignKey("activity.id", ondelete="CASCADE"), primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("upload", _Id, nullable=False, index=True),
)

activity_link = Table(
    "activity_link",
    metadata,
    Column("activity_id", ForeignKey("activity.id", ondelete="CASCADE"), primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("url", Text, nullable=False),
)

# who is being, or was, reminded of a task by mail: claimed before the mail is handed over
reminder = Table(
    "reminder",
    metadata,
    Column("activity_id", ForeignKey("activity.id", ondelete="CASCADE"), primary_key=True),
    Column("email", Text, primary_key=True),  # main address of the user
    Column("remind_on", Date, primary_key=True),
    Column("state", String(10), nullable=False),  # claimed, sent, refused, unknown
    Column("at", Utc, nullable=False),  # of the last change of state
    Column("message_id", Text, nullable=False),
)

# -- what became of it ----------------------------------------------------------------------------------------------

receipt = Table(
    "receipt",
    metadata,
    Column("record_id", ForeignKey("record.id"), primary_key=True),
    Column("identity", String(64), primary_key=True),
    Column("state", String(10), nullable=False),
    Column("activity_id", _Id, nullable=False, unique=True),
    Column("at", Utc, nullable=False),  # of the last change of state
)

removal = Table(
    "removal",
    metadata,
    Column("activity_id", _Id, primary_key=True),
    Column("record_id", ForeignKey("record.id"), nullable=False, index=True),
    Column("state", String(10), nullable=False),  # deleted, erased
    Column("occurred_at", Utc),  # its place in listings, for who goes on behind it
    Column("at", Utc, nullable=False),
    Column("actor", Text, nullable=False),
    Column("reason", Text),
    Column("kinds", Text, nullable=False),  # what kinds of content went: text, html, 2 documents, raw bytes
)

ledger = Table(
    "ledger",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("at", Utc, nullable=False, index=True),
    Column("verdict", String(10), nullable=False),
    Column("reason", String(30)),
    Column("record", Text),  # KIND:REF; follows a rename
    Column("relay", Text),
    Column("queue_id", Text),
    Column("author", Text),
    Column("message_id", Text, index=True),
    Column("activity_id", _Id),
    Column("count", Integer, nullable=False),
    Column("bucket", Text, unique=True),  # relay, reason, verdict and minute of the bounded rows; else null
    Index("ix_ledger_record", "record", "at"),
)

# authors who wait to be registered: bounded, and aged out (store.pending)
pending_sender = Table(
    "pending_sender",
    metadata,
    Column("address_id", ForeignKey("address.id", ondelete="CASCADE"), primary_key=True),
    Column("relay", Text, primary_key=True),
    Column("envelope_from", Text, primary_key=True),
    Column("email", Text, primary_key=True, index=True),
    Column("queue_id", Text),
    Column("tries", Integer, nullable=False),
    Column("first_at", Utc, nullable=False),
    Column("last_at", Utc, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    _key(),
    Column("at", Utc, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", String(40), nullable=False),
    Column("subject", Text, nullable=False, index=True),
    Column("detail", Text, nullable=False),
)
