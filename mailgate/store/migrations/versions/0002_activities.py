"""Activities that aren't a mail logged by BCC: their words, documents, links and reminders; participants by place.

Who took part stands with the record and the time of the activity from now on, so that an index gives the newest
activities of a person on a record; others give those of a type, a topic, or tasks that are open or done.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_ID = sa.Uuid(as_uuid=False)
_WHEN = sa.DateTime(timezone=True)
_PLACE = ["activity_record_id", "occurred_at", "activity_id"]
_LISTINGS = {
    "ix_activity_type": ["type"],
    "ix_activity_topic": ["topic"],
    "ix_activity_type_topic": ["type", "topic"],
}
_TASKS = {"ix_activity_open": "done_at IS NULL", "ix_activity_done": "done_at IS NOT NULL"}


def upgrade() -> None:
    """Go up."""
    op.add_column("activity", sa.Column("subject", sa.Text(), nullable=True))
    op.add_column("activity", sa.Column("notification", sa.String(length=30), nullable=True))
    op.add_column("activity", sa.Column("fingerprint", sa.String(length=64), nullable=True))
    op.add_column("removal", sa.Column("occurred_at", _WHEN, nullable=True))
    op.create_index(op.f("ix_removal_record_id"), "removal", ["record_id"])
    _set_participation_aside()
    op.create_table(
        "participation",
        sa.Column("activity_id", _ID, nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("header", sa.String(length=10), nullable=True),
        sa.Column("side", sa.String(length=10), nullable=False),
        sa.Column("record_id", _KEY, nullable=True),
        sa.Column("activity_record_id", _KEY, nullable=False),
        sa.Column("occurred_at", _WHEN, nullable=False),
        _of_activity("participation"),
        sa.ForeignKeyConstraint(["record_id"], ["record.id"], name=op.f("fk_participation_record_id")),
        sa.PrimaryKeyConstraint("activity_id", "n", name=op.f("pk_participation")),
    )
    op.execute(
        "INSERT INTO participation (activity_id, n, email, side, record_id, activity_record_id, occurred_at)"
        " SELECT old.activity_id, row_number() OVER (PARTITION BY old.activity_id ORDER BY old.email), old.email,"
        " old.side, old.record_id, activity.record_id, activity.occurred_at"
        " FROM participation_aside AS old JOIN activity ON activity.id = old.activity_id"
    )
    op.drop_table("participation_aside")
    op.create_index("ix_participation_email", "participation", ["email", "side", *_PLACE])
    op.create_index("ix_participation_person", "participation", ["record_id", *_PLACE])
    for name, columns in _LISTINGS.items():
        op.create_index(name, "activity", ["record_id", *columns, "occurred_at", "id"])
    for name, which in _TASKS.items():
        where = sa.text(f"type = 'task' AND {which}")
        columns = ["record_id", "type", "occurred_at", "id"]
        op.create_index(name, "activity", columns, sqlite_where=where, postgresql_where=where)
    op.create_table(
        "activity_content",
        sa.Column("activity_id", _ID, nullable=False),
        sa.Column("language", sa.String(length=2), nullable=False),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("html", sa.Text(), nullable=True),
        _of_activity("activity_content"),
        sa.PrimaryKeyConstraint("activity_id", "language", name=op.f("pk_activity_content")),
    )
    op.create_table(
        "activity_sent",
        sa.Column("activity_id", _ID, nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("language", sa.String(length=2), nullable=False),
        _of_activity("activity_sent"),
        sa.PrimaryKeyConstraint("activity_id", "email", "language", name=op.f("pk_activity_sent")),
    )
    op.create_table(
        "activity_document",
        sa.Column("activity_id", _ID, nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("upload", _ID, nullable=False),
        _of_activity("activity_document"),
        sa.PrimaryKeyConstraint("activity_id", "n", name=op.f("pk_activity_document")),
    )
    op.create_index(op.f("ix_activity_document_upload"), "activity_document", ["upload"])
    op.create_table(
        "activity_link",
        sa.Column("activity_id", _ID, nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        _of_activity("activity_link"),
        sa.PrimaryKeyConstraint("activity_id", "n", name=op.f("pk_activity_link")),
    )
    to_remind = sa.text("remind_on IS NOT NULL AND done_at IS NULL")
    op.create_index(
        "ix_activity_to_remind", "activity", ["remind_on"], sqlite_where=to_remind, postgresql_where=to_remind
    )
    op.create_table(
        "reminder",
        sa.Column("activity_id", _ID, nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("remind_on", sa.Date(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("at", _WHEN, nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        _of_activity("reminder"),
        sa.PrimaryKeyConstraint("activity_id", "email", "remind_on", name=op.f("pk_reminder")),
    )


def downgrade() -> None:
    """Go down: activities that aren't mails lose their words."""
    op.drop_index("ix_activity_to_remind", "activity")
    for table in ("reminder", "activity_link", "activity_document", "activity_sent", "activity_content"):
        op.drop_table(table)
    _set_participation_aside()
    op.create_table(
        "participation",
        sa.Column("activity_id", _ID, nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("side", sa.String(length=10), nullable=False),
        sa.Column("record_id", _KEY, nullable=True),
        _of_activity("participation"),
        sa.ForeignKeyConstraint(["record_id"], ["record.id"], name=op.f("fk_participation_record_id")),
        sa.PrimaryKeyConstraint("activity_id", "email", name=op.f("pk_participation")),
    )
    op.execute(
        "INSERT INTO participation (activity_id, email, side, record_id)"
        " SELECT activity_id, email, min(side), min(record_id) FROM participation_aside GROUP BY activity_id, email"
    )
    op.drop_table("participation_aside")
    op.create_index(op.f("ix_participation_email"), "participation", ["email"])
    op.create_index(op.f("ix_participation_record_id"), "participation", ["record_id"])
    for name in (*_LISTINGS, *_TASKS):
        op.drop_index(name, "activity")
    op.drop_index(op.f("ix_removal_record_id"), table_name="removal")
    op.drop_column("removal", "occurred_at")
    for column in ("fingerprint", "notification", "subject"):
        op.drop_column("activity", column)


def _of_activity(table: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_activity_id")
    return sa.ForeignKeyConstraint(["activity_id"], ["activity.id"], name=name, ondelete="CASCADE")


def _set_participation_aside() -> None:
    op.execute("CREATE TABLE participation_aside AS SELECT * FROM participation")
    op.drop_table("participation")
