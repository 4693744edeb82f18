"""All tables; their triggers are put on after every migration."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Go up."""
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_index(op.f("ix_audit_subject"), "audit", ["subject"], unique=False)
    op.create_table(
        "ledger",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("verdict", sa.String(length=10), nullable=False),
        sa.Column("reason", sa.String(length=30), nullable=True),
        sa.Column("record", sa.Text(), nullable=True),
        sa.Column("relay", sa.Text(), nullable=True),
        sa.Column("queue_id", sa.Text(), nullable=True),
        sa.Column("author", sa.Text(), nullable=True),
        sa.Column("message_id", sa.Text(), nullable=True),
        sa.Column("activity_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("bucket", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger")),
        sa.UniqueConstraint("bucket", name=op.f("uq_ledger_bucket")),
    )
    op.create_index(op.f("ix_ledger_at"), "ledger", ["at"], unique=False)
    op.create_index(op.f("ix_ledger_message_id"), "ledger", ["message_id"], unique=False)
    op.create_index("ix_ledger_record", "ledger", ["record", "at"], unique=False)
    op.create_table(
        "mail",
        sa.Column("sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("upload", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("reading_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_mail")),
        sa.UniqueConstraint("upload", name=op.f("uq_mail_upload")),
    )
    op.create_table(
        "piece",
        sa.Column("upload", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("bytes", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("upload", "n", name=op.f("pk_piece")),
    )
    op.create_table(
        "record",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("language", sa.String(length=2), nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_record")),
        sa.UniqueConstraint("kind", "ref", name=op.f("uq_record_kind_ref")),
    )
    op.create_table(
        "upload",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_upload")),
    )
    op.create_table(
        "user_account",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("language", sa.String(length=2), nullable=True),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user_account")),
        sa.UniqueConstraint("email", name=op.f("uq_user_account_email")),
    )
    op.create_table(
        "activity",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("record_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("type", sa.String(length=20), nullable=False),
        sa.Column("topic", sa.String(length=40), nullable=False),
        sa.Column("topic_by", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("topic_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("origin", sa.String(length=10), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorder_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("mail_sha256", sa.LargeBinary(length=32), nullable=True),
        sa.Column("author", sa.Text(), nullable=True),
        sa.Column("envelope_from", sa.Text(), nullable=True),
        sa.Column("message_id", sa.Text(), nullable=True),
        sa.Column("trust", sa.String(length=10), nullable=False),
        sa.Column("place", sa.Text(), nullable=True),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("remind_on", sa.Date(), nullable=True),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["mail_sha256"], ["mail.sha256"], name=op.f("fk_activity_mail_sha256")),
        sa.ForeignKeyConstraint(["record_id"], ["record.id"], name=op.f("fk_activity_record_id")),
        sa.ForeignKeyConstraint(["recorder_id"], ["user_account.id"], name=op.f("fk_activity_recorder_id")),
        sa.ForeignKeyConstraint(["topic_by"], ["user_account.id"], name=op.f("fk_activity_topic_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_activity")),
    )
    op.create_index("ix_activity_listing", "activity", ["record_id", "occurred_at", "id"], unique=False)
    op.create_index(op.f("ix_activity_mail_sha256"), "activity", ["mail_sha256"], unique=False)
    op.create_index("ix_activity_message_id", "activity", ["record_id", "message_id"], unique=False)
    op.create_index(op.f("ix_activity_recorder_id"), "activity", ["recorder_id"], unique=False)
    op.create_table(
        "address",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("local", sa.String(length=40), nullable=False),
        sa.Column("record_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("exposed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["record_id"], ["record.id"], name=op.f("fk_address_record_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_address")),
        sa.UniqueConstraint("local", name=op.f("uq_address_local")),
    )
    op.create_index(op.f("ix_address_record_id"), "address", ["record_id"], unique=False)
    op.create_table(
        "reading",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("mail_sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["mail_sha256"], ["mail.sha256"], name=op.f("fk_reading_mail_sha256")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reading")),
        sa.UniqueConstraint("mail_sha256", "version", name=op.f("uq_reading_mail_sha256_version")),
    )
    op.create_table(
        "receipt",
        sa.Column("record_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("identity", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("activity_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["record_id"], ["record.id"], name=op.f("fk_receipt_record_id")),
        sa.PrimaryKeyConstraint("record_id", "identity", name=op.f("pk_receipt")),
        sa.UniqueConstraint("activity_id", name=op.f("uq_receipt_activity_id")),
    )
    op.create_table(
        "record_contact",
        sa.Column("record_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("contact_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(["contact_id"], ["record.id"], name=op.f("fk_record_contact_contact_id")),
        sa.ForeignKeyConstraint(
            ["record_id"], ["record.id"], name=op.f("fk_record_contact_record_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("record_id", "role", "contact_id", name=op.f("pk_record_contact")),
    )
    op.create_index(op.f("ix_record_contact_contact_id"), "record_contact", ["contact_id"], unique=False)
    op.create_table(
        "record_email",
        sa.Column("record_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["record_id"], ["record.id"], name=op.f("fk_record_email_record_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("record_id", "email", name=op.f("pk_record_email")),
    )
    op.create_index(op.f("ix_record_email_email"), "record_email", ["email"], unique=False)
    op.create_table(
        "record_relation",
        sa.Column("record_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("other_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(["other_id"], ["record.id"], name=op.f("fk_record_relation_other_id")),
        sa.ForeignKeyConstraint(
            ["record_id"], ["record.id"], name=op.f("fk_record_relation_record_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("record_id", "role", "other_id", name=op.f("pk_record_relation")),
    )
    op.create_index(op.f("ix_record_relation_other_id"), "record_relation", ["other_id"], unique=False)
    op.create_table(
        "record_user",
        sa.Column("record_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("user_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(
            ["record_id"], ["record.id"], name=op.f("fk_record_user_record_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_record_user_user_id")),
        sa.PrimaryKeyConstraint("record_id", "role", "user_id", name=op.f("pk_record_user")),
    )
    op.create_index(op.f("ix_record_user_user_id"), "record_user", ["user_id"], unique=False)
    op.create_table(
        "removal",
        sa.Column("activity_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("record_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("kinds", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["record_id"], ["record.id"], name=op.f("fk_removal_record_id")),
        sa.PrimaryKeyConstraint("activity_id", name=op.f("pk_removal")),
    )
    op.create_table(
        "user_address",
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("user_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user_account.id"], name=op.f("fk_user_address_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("email", name=op.f("pk_user_address")),
    )
    op.create_index(op.f("ix_user_address_user_id"), "user_address", ["user_id"], unique=False)
    op.create_table(
        "user_role",
        sa.Column("user_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("role", sa.String(length=30), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user_account.id"], name=op.f("fk_user_role_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", "role", name=op.f("pk_user_role")),
    )
    op.create_table(
        "activity_note",
        sa.Column("activity_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["activity_id"], ["activity.id"], name=op.f("fk_activity_note_activity_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("activity_id", "n", name=op.f("pk_activity_note")),
    )
    op.create_table(
        "document",
        sa.Column("reading_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("inline", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["reading_id"], ["reading.id"], name=op.f("fk_document_reading_id")),
        sa.PrimaryKeyConstraint("reading_id", "n", name=op.f("pk_document")),
    )
    op.create_table(
        "link",
        sa.Column("reading_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["reading_id"], ["reading.id"], name=op.f("fk_link_reading_id")),
        sa.PrimaryKeyConstraint("reading_id", "n", name=op.f("pk_link")),
    )
    op.create_table(
        "participation",
        sa.Column("activity_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("side", sa.String(length=10), nullable=False),
        sa.Column("record_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.ForeignKeyConstraint(
            ["activity_id"], ["activity.id"], name=op.f("fk_participation_activity_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["record_id"], ["record.id"], name=op.f("fk_participation_record_id")),
        sa.PrimaryKeyConstraint("activity_id", "email", name=op.f("pk_participation")),
    )
    op.create_index(op.f("ix_participation_email"), "participation", ["email"], unique=False)
    op.create_index(op.f("ix_participation_record_id"), "participation", ["record_id"], unique=False)
    op.create_table(
        "reading_body",
        sa.Column("reading_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("html", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["reading_id"], ["reading.id"], name=op.f("fk_reading_body_reading_id")),
        sa.PrimaryKeyConstraint("reading_id", name=op.f("pk_reading_body")),
    )
    op.create_table(
        "reading_note",
        sa.Column("reading_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["reading_id"], ["reading.id"], name=op.f("fk_reading_note_reading_id")),
        sa.PrimaryKeyConstraint("reading_id", "n", name=op.f("pk_reading_note")),
    )
    op.create_table(
        "reading_party",
        sa.Column("reading_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("header", sa.String(length=10), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["reading_id"], ["reading.id"], name=op.f("fk_reading_party_reading_id")),
        sa.PrimaryKeyConstraint("reading_id", "n", name=op.f("pk_reading_party")),
    )


def downgrade() -> None:
    """Go down."""
    op.drop_table("reading_party")
    op.drop_table("reading_note")
    op.drop_table("reading_body")
    op.drop_index(op.f("ix_participation_record_id"), table_name="participation")
    op.drop_index(op.f("ix_participation_email"), table_name="participation")
    op.drop_table("participation")
    op.drop_table("link")
    op.drop_table("document")
    op.drop_table("activity_note")
    op.drop_table("user_role")
    op.drop_index(op.f("ix_user_address_user_id"), table_name="user_address")
    op.drop_table("user_address")
    op.drop_table("removal")
    op.drop_index(op.f("ix_record_user_user_id"), table_name="record_user")
    op.drop_table("record_user")
    op.drop_index(op.f("ix_record_relation_other_id"), table_name="record_relation")
    op.drop_table("record_relation")
    op.drop_index(op.f("ix_record_email_email"), table_name="record_email")
    op.drop_table("record_email")
    op.drop_index(op.f("ix_record_contact_contact_id"), table_name="record_contact")
    op.drop_table("record_contact")
    op.drop_table("receipt")
    op.drop_table("reading")
    op.drop_index(op.f("ix_address_record_id"), table_name="address")
    op.drop_table("address")
    op.drop_index(op.f("ix_activity_recorder_id"), table_name="activity")
    op.drop_index("ix_activity_message_id", table_name="activity")
    op.drop_index(op.f("ix_activity_mail_sha256"), table_name="activity")
    op.drop_index("ix_activity_listing", table_name="activity")
    op.drop_table("activity")
    op.drop_table("user_account")
    op.drop_table("upload")
    op.drop_table("record")
    op.drop_table("piece")
    op.drop_table("mail")
    op.drop_index("ix_ledger_record", table_name="ledger")
    op.drop_index(op.f("ix_ledger_message_id"), table_name="ledger")
    op.drop_index(op.f("ix_ledger_at"), table_name="ledger")
    op.drop_table("ledger")
    op.drop_index(op.f("ix_audit_subject"), table_name="audit")
    op.drop_table("audit")
