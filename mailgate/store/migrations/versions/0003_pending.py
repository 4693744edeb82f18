"""Who waits to be registered, and which users may send mail that says it is automatic."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_WHEN = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Go up."""
    op.add_column(
        "user_account", sa.Column("accept_automatic", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.create_table(
        "pending_sender",
        sa.Column("address_id", _KEY, nullable=False),
        sa.Column("relay", sa.Text(), nullable=False),
        sa.Column("envelope_from", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("queue_id", sa.Text(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("first_at", _WHEN, nullable=False),
        sa.Column("last_at", _WHEN, nullable=False),
        sa.ForeignKeyConstraint(
            ["address_id"], ["address.id"], name=op.f("fk_pending_sender_address_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("address_id", "relay", "envelope_from", "email", name=op.f("pk_pending_sender")),
    )
    op.create_index(op.f("ix_pending_sender_email"), "pending_sender", ["email"])


def downgrade() -> None:
    """Go down: who waits is forgotten, and waits again with the next try."""
    op.drop_table("pending_sender")
    op.drop_column("user_account", "accept_automatic")
