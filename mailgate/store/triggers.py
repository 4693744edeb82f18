"""What the database itself refuses, by whatever client: the one list of triggers, for both engines.

Content (``CONTENT``) is never changed: no column of it but those in ``MAY_CHANGE``, and the topic of a mail logged by
BCC. It is deleted only after the receipt of its activity says ``deleted`` or ``erased``; the bytes and the reading of a
mail when no activity refers to the mail any more. A receipt never goes back to ``kept``. Hand-made activities (origin
``manual``) are free, but never become logged ones.

A mail may be read again: ``mail.reading_id`` moves to a reading of the same mail with a higher version, and the one
that counts no more may go. What an activity logged by BCC has of its reading may then follow it, and nothing else:
``occurred_at`` is what the reading says, or when the mail came; ``message_id`` is the reading's; a participant whom it
doesn't name may go; a note ``date_absurd`` may where the date isn't, or can't be read, or another one was written.

A mail of the system is closed by its ``fingerprint``: null while it is written, set once, with nothing else. From then
on no row can be added to it. To a mail logged by BCC rows can be added: nothing closes it, as mails come in numbers.

SQLite: ``INSERT OR REPLACE`` and ``UPDATE OR REPLACE`` delete the row in their way without asking the triggers for
DELETE, so whatever would hit an existing key, or row id, is refused too (our own ``ON CONFLICT`` clauses meet that
trigger as well: look before inserting). PostgreSQL: TRUNCATE is refused.

A refusal is an integrity error of the driver's. The list is made from the tables, so that a new column is protected
without anybody thinking of it. Limits: whoever may drop a trigger may do everything; new activities, readings of a
mail, and rows of a mail logged by BCC can be added. So what was read can be replaced, but never the bytes themselves.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, Table, UniqueConstraint, text

from mailgate.store.tables import (
    activity,
    activity_content,
    activity_document,
    activity_link,
    activity_note,
    activity_sent,
    document,
    link,
    mail,
    participation,
    piece,
    reading,
    reading_body,
    reading_note,
    reading_party,
    receipt,
)

_OF_READING = (reading_body, reading_party, document, link, reading_note)
_OF_ACTIVITY = (activity_note, activity_content, activity_sent, activity_document, activity_link)
_ON_ACTIVITY = (*_OF_ACTIVITY, participation)
CONTENT = (mail, piece, reading, *_OF_READING, activity, *_OF_ACTIVITY, participation, receipt)

# what is ours, or follows the register, and not what people sent
MAY_CHANGE: Mapping[str, frozenset[str]] = {
    "mail": frozenset({"reading_id"}),
    "reading": frozenset({"reader"}),
    "activity": frozenset({"record_id"}),
    "participation": frozenset({"side", "record_id", "activity_record_id", "occurred_at"}),  # the last two follow it
    "receipt": frozenset({"state", "at", "record_id", "identity"}),  # identity only together with record_id
}
_TOPIC = ("topic", "topic_by", "topic_at")
_READ = ("occurred_at", "message_id")  # of a mail logged by BCC: these follow its reading

_NAME = "mailgate_keep_"


@dataclass(frozen=True, slots=True)
class Rule:
    """``event`` on a row of ``table`` is refused when ``condition`` holds; its SQL is the same for both engines."""

    table: str
    event: str  # INSERT, UPDATE, DELETE, TRUNCATE
    condition: str

    @property
    def name(self) -> str:
        """Name the trigger; the names of all of ours begin alike."""
        return f"{_NAME}{self.table}_{self.event.lower()}"

    @property
    def message(self) -> str:
        """Say what the client is told."""
        return f"mailgate: {self.table} is read-only ({self.event})"


def rules(dialect: str) -> Iterator[Rule]:
    """Give the rules that an engine needs: ``sqlite`` or ``postgresql``."""
    for table in CONTENT:
        yield Rule(table.name, "UPDATE", _changes(table, dialect))
        yield Rule(table.name, "DELETE", _MAY_NOT_GO[table.name])
        added = ([_taken(table)] if dialect == "sqlite" else []) + ([_CLOSED] if table in _ON_ACTIVITY else [])
        if added:
            yield Rule(table.name, "INSERT", " OR ".join(added))
        if dialect == "postgresql":
            yield Rule(table.name, "TRUNCATE", "true")


def create(connection: Connection) -> None:
    """Make all triggers; none of them may be there."""
    for statement in _statements(connection.dialect.name):
        connection.exec_driver_sql(statement)


def drop(connection: Connection) -> None:
    """Remove whatever triggers this or another version made."""
    sqlite = connection.dialect.name == "sqlite"
    for name, table in _present(connection):
        connection.exec_driver_sql(f'DROP TRIGGER "{name}"' + ("" if sqlite else f' ON "{table}"'))
        if not sqlite:
            connection.exec_driver_sql(f'DROP FUNCTION "{name}"()')


def complete(connection: Connection) -> bool:
    """Say whether the triggers are those of this version, no more, no fewer, none changed."""
    if connection.dialect.name == "sqlite":
        return set(connection.execute(text(_SQLITE_DEFINITIONS), {"like": _NAME + "%"}).scalars()) == set(
            _statements("sqlite")
        )
    bodies = {(row.tgname, row.prosrc) for row in connection.execute(text(_POSTGRESQL_BODIES), {"like": _NAME + "%"})}
    return bodies == {(rule.name, _body(rule)) for rule in rules("postgresql")}


# -- conditions -----------------------------------------------------------------------------------------------------


def _changes(table: Table, dialect: str) -> str:
    free = MAY_CHANGE.get(table.name, frozenset())
    content = _differ([column.name for column in table.columns if column.name not in free])
    # where the rest may change, a key may not: UPDATE OR REPLACE would put the row in another's place
    place = _differ([column.name for column in table.primary_key])
    row_moves = " OR OLD.rowid <> NEW.rowid" if dialect == "sqlite" else ""
    if table is activity:
        return f"{_activity_changes()} OR OLD.origin <> NEW.origin OR {place}{row_moves}"
    if table in _OF_ACTIVITY:
        return f"(EXISTS {_LOGGED} AND ({content})) OR {place}{row_moves}"
    moves = f" OR {_MOVES[table.name]}" if table.name in _MOVES else ""
    return f"{content}{moves}{row_moves}"


def _activity_changes() -> str:
    free = {*MAY_CHANGE["activity"], *_TOPIC, *_READ, "fingerprint"}
    content = _differ([column.name for column in activity.columns if column.name not in free])
    closing = "OLD.origin = 'system' AND OLD.fingerprint IS NULL"
    return (
        f"(OLD.origin <> 'manual' AND ({content}))"
        f" OR (OLD.origin NOT IN ('manual', 'bcc') AND ({_differ([*_TOPIC, *_READ])}))"
        f" OR (OLD.origin = 'bcc' AND OLD.occurred_at <> NEW.occurred_at AND NOT ({_TIME_AS_READ}))"
        f" OR (OLD.origin = 'bcc' AND ({_differ(['message_id'])}) AND NOT EXISTS {_MESSAGE_ID_AS_READ})"
        f" OR (OLD.origin <> 'manual' AND NOT ({closing}) AND ({_differ(['fingerprint'])}))"
    )


def _differ(columns: Iterable[str]) -> str:
    return " OR ".join(f'OLD."{name}" IS DISTINCT FROM NEW."{name}"' for name in columns)


_OWN_READING = "(SELECT 1 FROM reading WHERE reading.id = NEW.reading_id AND reading.mail_sha256 = NEW.sha256)"
_LATER_READING = (
    "(SELECT 1 FROM reading AS former, reading AS later WHERE former.id = OLD.reading_id"
    " AND later.id = NEW.reading_id AND later.version > former.version)"
)
_NEW_READING = "FROM mail JOIN reading ON reading.id = mail.reading_id WHERE mail.sha256 = NEW.mail_sha256"
_TIME_AS_READ = (
    f"NEW.occurred_at = NEW.recorded_at OR EXISTS (SELECT 1 {_NEW_READING} AND reading.sent_at = NEW.occurred_at)"
)
_MESSAGE_ID_AS_READ = f"(SELECT 1 {_NEW_READING} AND reading.message_id = coalesce(NEW.message_id, ''))"
_LOGGED = "(SELECT 1 FROM activity WHERE activity.id = OLD.activity_id AND activity.origin <> 'manual')"
_CLOSED = (
    "EXISTS (SELECT 1 FROM activity WHERE activity.id = NEW.activity_id"
    " AND activity.origin <> 'manual' AND activity.fingerprint IS NOT NULL)"
)
_ITS_ACTIVITY = (
    "(SELECT 1 FROM activity WHERE activity.id = NEW.activity_id AND activity.record_id = NEW.activity_record_id)"
)
_AT_ITS_TIME = "(SELECT 1 FROM activity WHERE activity.id = NEW.activity_id AND activity.occurred_at = NEW.occurred_at)"
_OTHER_RECEIPT = "(SELECT 1 FROM receipt WHERE receipt.record_id = NEW.record_id AND receipt.identity = NEW.identity)"
_ONWARD = (
    "OLD.state = NEW.state OR (OLD.state = 'kept' AND NEW.state IN ('deleted', 'erased'))"
    " OR (OLD.state = 'deleted' AND NEW.state = 'erased')"
)
# how what may change doesn't
_MOVES: Mapping[str, str] = {
    "mail": f"NOT EXISTS {_OWN_READING} OR (OLD.reading_id <> NEW.reading_id AND NOT EXISTS {_LATER_READING})",
    "reading": "NEW.reader < OLD.reader",
    # merging moves the activity first, and so does reading again
    "participation": (
        f"(OLD.activity_record_id <> NEW.activity_record_id AND NOT EXISTS {_ITS_ACTIVITY})"
        f" OR (OLD.occurred_at <> NEW.occurred_at AND NOT EXISTS {_AT_ITS_TIME})"
    ),
    # merging two records that had the same mail gives one of the two receipts another identity
    "receipt": (
        f"NOT ({_ONWARD}) OR (OLD.record_id <> NEW.record_id AND EXISTS {_OTHER_RECEIPT})"
        " OR (OLD.record_id = NEW.record_id AND OLD.identity <> NEW.identity)"
    ),
}


def _removed(activity_id: str) -> str:
    gone = "receipt.state IN ('deleted', 'erased')"
    return f"EXISTS (SELECT 1 FROM receipt WHERE receipt.activity_id = {activity_id} AND {gone})"  # noqa: S608 - our own names


_READING_COUNTS = (
    "EXISTS (SELECT 1 FROM mail JOIN activity ON activity.mail_sha256 = mail.sha256"
    " WHERE mail.sha256 = OLD.mail_sha256 AND mail.reading_id = OLD.id)"
)
_ITS_READING_COUNTS = (
    "EXISTS (SELECT 1 FROM reading JOIN mail ON mail.sha256 = reading.mail_sha256 AND mail.reading_id = reading.id"
    " JOIN activity ON activity.mail_sha256 = mail.sha256 WHERE reading.id = OLD.reading_id)"
)
_OF_A_MAIL = (
    "activity JOIN mail ON mail.sha256 = activity.mail_sha256"
    " WHERE activity.id = OLD.activity_id AND activity.origin = 'bcc'"
)
_NAMED_NO_MORE = (
    f"EXISTS (SELECT 1 FROM {_OF_A_MAIL} AND NOT EXISTS (SELECT 1 FROM reading_party"  # noqa: S608 - our own names
    " WHERE reading_party.reading_id = mail.reading_id AND reading_party.email = OLD.email))"
)
_DATED_ANEW = (
    f"OLD.code = 'date_absurd' AND EXISTS (SELECT 1 FROM {_OF_A_MAIL} AND (EXISTS (SELECT 1 FROM activity_note AS later"  # noqa: S608 - our own names
    " WHERE later.activity_id = OLD.activity_id AND later.code = OLD.code AND later.n > OLD.n)"
    " OR EXISTS (SELECT 1 FROM reading WHERE reading.id = mail.reading_id"
    " AND (reading.sent_at IS NULL OR reading.sent_at = activity.occurred_at))))"
)


def _stays(otherwise: str = "") -> str:
    free = f" AND NOT ({otherwise})" if otherwise else ""
    return f"EXISTS {_LOGGED} AND NOT {_removed('OLD.activity_id')}{free}"


_MAY_NOT_GO: Mapping[str, str] = {
    "mail": "EXISTS (SELECT 1 FROM activity WHERE activity.mail_sha256 = OLD.sha256)",
    "piece": (
        "EXISTS (SELECT 1 FROM mail WHERE mail.upload = OLD.upload)"
        " OR EXISTS (SELECT 1 FROM activity_document WHERE activity_document.upload = OLD.upload)"
    ),
    "reading": _READING_COUNTS,
    **{table.name: _ITS_READING_COUNTS for table in _OF_READING},
    "activity": f"OLD.origin <> 'manual' AND NOT {_removed('OLD.id')}",
    **{table.name: _stays() for table in _ON_ACTIVITY},
    "participation": _stays(_NAMED_NO_MORE),
    "activity_note": _stays(_DATED_ANEW),
    "receipt": "OLD.state = 'kept' AND EXISTS (SELECT 1 FROM activity WHERE activity.id = OLD.activity_id)",
}


def _taken(table: Table) -> str:
    keys = [[column.name for column in table.primary_key]]
    keys += [
        [column.name for column in constraint.columns]
        for constraint in sorted(table.constraints, key=lambda constraint: str(constraint.name))
        if isinstance(constraint, UniqueConstraint)
    ]
    hits = ["rowid = NEW.rowid"]  # -1 where the client gave none
    hits += [" AND ".join(f'"{table.name}"."{name}" = NEW."{name}"' for name in key) for key in keys]
    return " OR ".join(f'EXISTS (SELECT 1 FROM "{table.name}" WHERE {hit})' for hit in hits)  # noqa: S608 - our own names


# -- statements -----------------------------------------------------------------------------------------------------


def _statements(dialect: str) -> Iterator[str]:
    for rule in rules(dialect):
        if dialect == "sqlite":
            yield (
                f'CREATE TRIGGER "{rule.name}" BEFORE {rule.event} ON "{rule.table}" FOR EACH ROW'
                f" WHEN {rule.condition} BEGIN SELECT RAISE(ABORT, '{rule.message}'); END"
            )
        else:
            each = "STATEMENT" if rule.event == "TRUNCATE" else "ROW"
            body = f"$mailgate${_body(rule)}$mailgate$"
            yield f'CREATE FUNCTION "{rule.name}"() RETURNS trigger LANGUAGE plpgsql AS {body}'
            yield (
                f'CREATE TRIGGER "{rule.name}" BEFORE {rule.event} ON "{rule.table}" FOR EACH {each}'
                f' EXECUTE FUNCTION "{rule.name}"()'
            )


def _body(rule: Rule) -> str:
    row = {"INSERT": "NEW", "UPDATE": "NEW", "DELETE": "OLD"}.get(rule.event, "NULL")
    refuse = f"RAISE EXCEPTION '{rule.message}' USING ERRCODE = 'integrity_constraint_violation'"
    return f"BEGIN IF {rule.condition} THEN {refuse}; END IF; RETURN {row}; END"


_SQLITE_DEFINITIONS = "SELECT sql FROM sqlite_master WHERE type = 'trigger' AND name LIKE :like"
_POSTGRESQL_BODIES = """
    SELECT tgname, prosrc FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid JOIN pg_class ON pg_class.oid = tgrelid
    WHERE NOT tgisinternal AND tgenabled <> 'D' AND tgname LIKE :like AND pg_table_is_visible(tgrelid)
"""


def _present(connection: Connection) -> list[tuple[str, str]]:
    statement = (
        "SELECT name, tbl_name FROM sqlite_master WHERE type = 'trigger' AND name LIKE :like"
        if connection.dialect.name == "sqlite"
        else "SELECT tgname, relname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid"
        " WHERE NOT tgisinternal AND tgname LIKE :like AND pg_table_is_visible(tgrelid)"
    )
    return [(row[0], row[1]) for row in connection.execute(text(statement), {"like": _NAME + "%"})]
