"""A big store in a minute, on either engine: as many activities as one likes, made by a few statements.

There are ten times fewer records than activities. Some things stand out, whatever the size:

    campaign:hot      every tenth activity is on it; few of them are lunches
    customer:big      has ``CAMPAIGNS`` campaigns, one of them the hot one, with a fifth of all activities
    contact:nora      belongs to the big customer; has two addresses and took part in half of what is on the hot one
    luca              a user with an alias, in a quarter of all activities, most of those on the hot one
    contact:10        as ordinary as most

Indexes are made when everything is in, as a migration would; foreign keys are not looked at meanwhile.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from string import Template
from typing import Any

from sqlalchemy import Connection, text

from mailgate.store import tables
from mailgate.store.database import Database

CAMPAIGNS = 2000
NORA = "nora@optik.example"
LUCA = "luca@muster.example"
ORDINARY = 10_000  # records above this id are as most are

Given = Mapping[str, Any]

# whose activities are listed, and those of which related records
PLACES: Mapping[str, tuple[str, Given]] = {
    "a record": ("campaign:hot", {}),
    "one affiliation": ("customer:big", {"affiliation": ["campaign"]}),
    "several affiliations": ("customer:big", {"affiliation": ["campaign", "contact"], "without_own": True}),
}
_SINCE, _UNTIL = datetime(2020, 1, 3, tzinfo=UTC), datetime(2020, 1, 6, tzinfo=UTC)
FILTERS: Mapping[str, Given] = {
    "unnarrowed": {},
    "type": {"type": "email"},
    "rare type": {"type": "lunch"},
    "topic": {"topic": "billing"},
    "type and topic": {"type": "email", "topic": "offer"},
    "external": {"external": "nora@home.example"},
    "internal": {"internal": LUCA},
    "both": {"external": NORA, "internal": LUCA},
    "user's type": {"internal": LUCA, "type": "task"},
    "since": {"since": _SINCE},
    "until": {"until": _UNTIL},
    "between": {"since": _SINCE, "until": _UNTIL},
    "done": {"done": True},
    "open": {"open": True},
    "everything": {
        "type": "email",
        "topic": "other",
        "external": NORA,
        "internal": LUCA,
        "since": datetime(2020, 1, 1, tzinfo=UTC),
        "until": datetime(2030, 1, 1, tzinfo=UTC),
    },
    "everything of tasks": {"topic": "other", "external": NORA, "internal": LUCA, "open": True},
}

_FILLED = (
    tables.activity,
    tables.participation,
    tables.reading,
    tables.mail,
    tables.record_relation,
    tables.record_contact,
    tables.record_email,
    tables.activity_document,
)
_LOGGED = "(i / 10) % 2 = 0"  # came as a mail
_DONE = "(i * 1571) % 65537 % 20 < 2 AND i % $rare <> 0"  # half of the tasks
_WITH_NORA = "(i % 10 = 0 OR i % 100 = 3) AND (i * 2003) % 65551 % 2 = 0"
_WITH_LUCA = "((i * 1901) % 65543 % 5 = 0 OR i % 10 = 0 AND (i * 1901) % 65543 % 2 = 0)"
_TYPE = """CASE WHEN i % 10 = 0 AND i % $rare = 0 THEN 'lunch' ELSE CASE (i * 1571) % 65537 % 20 WHEN 14 THEN 'meeting'
    WHEN 15 THEN 'meeting' WHEN 16 THEN 'call' WHEN 17 THEN CASE i % 10 WHEN 0 THEN 'call' ELSE 'lunch' END
    WHEN 18 THEN 'video_call' WHEN 19 THEN 'note' WHEN 0 THEN 'task' WHEN 1 THEN 'task' WHEN 2 THEN 'task'
    WHEN 3 THEN 'task' ELSE 'email' END END"""
_TOPIC = """CASE (i * 1733) % 65539 % 8 WHEN 0 THEN 'billing' WHEN 1 THEN 'offer' WHEN 2 THEN 'reporting'
    WHEN 3 THEN 'creatives' ELSE 'other' END"""
_RECORD = """CASE WHEN i % 10 = 0 THEN 2 WHEN i % 10 < 3 THEN 100 + (i / 10) % $campaigns WHEN i % 100 = 3
    THEN 1 WHEN i % 100 = 13 THEN 3 ELSE $ordinary + (i * 1009) % $records END"""
_KIND = """CASE i % 10 WHEN 0 THEN 'contact' WHEN 1 THEN 'customer' WHEN 2 THEN 'lead' WHEN 3 THEN 'opportunity'
    ELSE 'campaign' END"""


def fill(database: Database, size: int) -> None:
    """Make ``size`` activities in an empty store."""
    with database.bare() as connection, _quick(connection):
        words = _Words(connection.dialect.name, size)
        indexes = [index for table in _FILLED for index in table.indexes]
        for index in indexes:
            index.drop(connection)
        for statement in (*_PEOPLE, *_RECORDS, *_MAILS, *_ACTIVITIES):
            connection.exec_driver_sql(
                words.put_in(statement).replace("%", "%%") if words.is_postgresql else words.put_in(statement)
            )
        for index in indexes:
            index.create(connection)
        # PostgreSQL also notes what is visible to all, without which no index alone would do
        connection.execute(text("VACUUM ANALYZE" if words.is_postgresql else "SELECT 1"))


@contextmanager
def _quick(connection: Connection) -> Iterator[None]:
    if connection.dialect.name == "sqlite":
        for pragma in ("foreign_keys = OFF", "synchronous = OFF", "cache_size = -500000", "temp_store = MEMORY"):
            connection.exec_driver_sql(f"PRAGMA {pragma}")
    else:
        connection.exec_driver_sql("SET session_replication_role = replica")
        connection.exec_driver_sql("SET maintenance_work_mem = '512MB'")
    yield


class _Words:
    """What the engines say differently: ``UUID[x]``, ``AT[x]`` (minutes), ``SHA[x]`` and ``UP_TO[x]``, rows of i."""

    def __init__(self, dialect: str, size: int) -> None:
        self.is_postgresql = dialect == "postgresql"
        self._figures = {
            "size": size,
            "records": max(size // 10, 100),
            "rare": max(size // 5, 10),
            "campaigns": CAMPAIGNS - 1,
            "ordinary": ORDINARY,
            "before": ORDINARY - 1,
        }

    def put_in(self, statement: str) -> str:
        """Write a statement for this engine."""
        made = Template(Template(statement).safe_substitute(_SHORTHAND)).substitute(self._figures)
        for word, ours in (_POSTGRESQL if self.is_postgresql else _SQLITE).items():
            made = re.sub(rf"{word}\[(.*?)\]", lambda found, ours=ours: ours.replace("@", found[1]), made)  # type: ignore[misc]  # a default binds it
        return made


_POSTGRESQL = {
    "UUID": "lpad(to_hex(@), 32, '0')::uuid",
    "AT": "timestamptz '2020-01-01Z' + (@) * interval '1 minute'",
    "SHA": "decode(lpad(to_hex(@), 64, '0'), 'hex')",
    "UP_TO": "generate_series(1, @) AS n(i)",
}
_SQLITE = {
    "UUID": "printf('%032x', @)",
    "AT": "strftime('%Y-%m-%d %H:%M:%S.000000', 1577836800 + (@) * 60, 'unixepoch')",
    "SHA": "CAST(printf('%032x', @) AS BLOB)",
    "UP_TO": "(WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < @) SELECT i FROM c)",
}
_SHORTHAND = {
    "type": _TYPE,
    "topic": _TOPIC,
    "record": _RECORD,
    "kind": _KIND,
    "logged": _LOGGED,
    "done": _DONE,
    "nora": _WITH_NORA,
    "luca": _WITH_LUCA,
}
_PEOPLE = (
    """INSERT INTO user_account (id, email, name, kind, enabled, created_at)
       SELECT i, CASE i WHEN 1 THEN 'luca@muster.example' ELSE 'u' || i || '@muster.example' END, 'User', 'person',
       true, AT[0] FROM UP_TO[60]""",
    "INSERT INTO user_address (email, user_id) SELECT email, id FROM user_account",
    "INSERT INTO user_address (email, user_id) VALUES ('l.lang@muster.example', 1)",
)
_RECORDS = (
    """INSERT INTO record (id, kind, ref, name, state, created_at) VALUES
       (1, 'customer', 'big', 'Big', 'open', AT[0]), (2, 'campaign', 'hot', 'Hot', 'open', AT[0]),
       (3, 'contact', 'nora', 'Nora', 'open', AT[0])""",
    """INSERT INTO record (id, kind, ref, name, state, created_at)
       SELECT 99 + i, 'campaign', 'of-big-' || i, 'Campaign', 'open', AT[0] FROM UP_TO[$campaigns]""",
    """INSERT INTO record (id, kind, ref, name, state, created_at)
       SELECT $before + i, $kind, i, 'Ordinary', 'open', AT[0] FROM UP_TO[$records]""",
    """INSERT INTO record_relation (record_id, role, other_id)
       SELECT $before + i, 'customer', $before + (i / 10) * 10 + 1 FROM UP_TO[$records]
       WHERE i % 10 <> 1 AND (i / 10) * 10 + 1 <= $records""",
    "INSERT INTO record_relation (record_id, role, other_id) SELECT 99 + i, 'customer', 1 FROM UP_TO[$campaigns]",
    "INSERT INTO record_relation (record_id, role, other_id) VALUES (2, 'customer', 1), (3, 'customer', 1)",
    """INSERT INTO record_contact (record_id, role, contact_id)
       SELECT $before + i, 'main', $before + (i / 10) * 10 FROM UP_TO[$records]
       WHERE i % 10 > 3 AND i > 9""",
    """INSERT INTO record_user (record_id, role, user_id)
       SELECT $before + i, 'sales', 1 + i % 60 FROM UP_TO[$records]""",
    "INSERT INTO record_contact (record_id, role, contact_id) VALUES (2, 'main', 3)",
    "INSERT INTO record_email (record_id, email) VALUES (3, 'nora@optik.example'), (3, 'nora@home.example')",
    """INSERT INTO address (local, record_id, state, created_at)
       SELECT 'local-' || i, $before + i, 'open', AT[0] FROM UP_TO[$records]""",
    """INSERT INTO record_email (record_id, email) SELECT $before + i, 'c' || i || '@kunde.example'
       FROM UP_TO[$records] WHERE i % 10 = 0""",
)
_MAILS = (
    """INSERT INTO mail (sha256, size, upload, reading_id)
       SELECT SHA[i], 5000, UUID[i], UUID[i] FROM UP_TO[$size] WHERE $logged""",
    """INSERT INTO reading (id, mail_sha256, version, subject, message_id)
       SELECT UUID[i], SHA[i], 1, 'Offer ' || i, '<' || i || '@muster.example>' FROM UP_TO[$size] WHERE $logged""",
    """INSERT INTO reading_body (reading_id, text, html) SELECT UUID[i], 'Text of ' || i, ''
       FROM UP_TO[$size] WHERE $logged AND i % 10 = 0""",
    """INSERT INTO document (reading_id, n, name, type, size, sha256, inline)
       SELECT UUID[i], 1, 'offer.pdf', 'application/pdf', 8, 'x', false FROM UP_TO[$size]
       WHERE $logged AND i % 5 = 0""",
    """INSERT INTO link (reading_id, n, url) SELECT UUID[i], 1, 'https://muster.example/' || i
       FROM UP_TO[$size] WHERE $logged AND i % 5 = 0""",
    """INSERT INTO reading_note (reading_id, n, code, text) SELECT UUID[i], 1, 'remote_images', 'Looks.'
       FROM UP_TO[$size] WHERE $logged AND i % 5 = 0""",
    """INSERT INTO reading_party (reading_id, n, header, email, name)
       SELECT UUID[i], 1, 'to', CASE WHEN $nora THEN 'nora@optik.example'
       ELSE 'c' || (i % 5000) * 10 || '@kunde.example' END, 'Somebody' FROM UP_TO[$size] WHERE $logged""",
)
_ACTIVITIES = (
    """INSERT INTO activity (id, record_id, type, topic, origin, occurred_at, recorded_at, recorder_id, mail_sha256,
       message_id, trust, done_at, subject)
       SELECT UUID[i], $record, $type, $topic, CASE WHEN $logged THEN 'bcc' ELSE 'manual' END,
       AT[(i * 1009) % $size], AT[i], 1 + i % 60,
       CASE WHEN $logged THEN SHA[i] END, '<' || i || '@muster.example>', 'vouched',
       CASE WHEN $done THEN AT[i] END, CASE WHEN $logged THEN NULL ELSE 'Meeting ' || i END
       FROM UP_TO[$size]""",
    """INSERT INTO participation (activity_id, n, email, side, record_id, activity_record_id, occurred_at)
       SELECT UUID[i], 1, CASE WHEN $luca THEN CASE i % 200
       WHEN 0 THEN 'l.lang@muster.example' ELSE 'luca@muster.example' END ELSE 'u' || (2 + i % 59) || '@muster.example'
       END, 'internal', NULL, $record, AT[(i * 1009) % $size] FROM UP_TO[$size]""",
    """INSERT INTO participation (activity_id, n, email, side, record_id, activity_record_id, occurred_at)
       SELECT UUID[i], 2, CASE WHEN $nora THEN 'nora@optik.example' ELSE 'c' || (i % 5000) * 10 || '@kunde.example'
       END, 'external', CASE WHEN $nora THEN 3 WHEN (i % 5000) * 10 BETWEEN 1 AND $records
       THEN $before + (i % 5000) * 10 END, $record,
       AT[(i * 1009) % $size] FROM UP_TO[$size]""",
    """INSERT INTO activity_content (activity_id, language, subject, text, html)
       SELECT UUID[i], CASE i % 2 WHEN 0 THEN 'de' ELSE '' END, 'Subject', 'Text of ' || i, ''
       FROM UP_TO[$size] WHERE NOT ($logged)""",
    """INSERT INTO activity_sent (activity_id, email, language) SELECT UUID[i], 'nora@optik.example', 'de'
       FROM UP_TO[$size] WHERE i % 10 = 1""",
    """INSERT INTO activity_note (activity_id, n, code, text) SELECT UUID[i], 1, 'old_address', 'Old.'
       FROM UP_TO[$size] WHERE i % 10 = 1""",
    """INSERT INTO activity_link (activity_id, n, url) SELECT UUID[i], 1, 'https://muster.example'
       FROM UP_TO[$size] WHERE i % 10 = 1""",
    """INSERT INTO activity_document (activity_id, n, name, type, size, sha256, upload)
       SELECT UUID[i], 1, 'plan.pdf', 'application/pdf', 8, 'x', UUID[i] FROM UP_TO[$size] WHERE i % 10 = 1""",
)
