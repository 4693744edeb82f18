"""More of what is read in a mail: what may be folded, what pictures are called, what calendars say; and by whom.

``reading.reader`` is the version of the reader: 1 for whatever was read before there was a count of them.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Go up: mails that are there have nothing of it until they are read again."""
    op.add_column("reading", sa.Column("folds", sa.Text(), nullable=False, server_default="[]"))
    op.add_column("document", sa.Column("content_id", sa.Text(), nullable=False, server_default=""))
    op.add_column("document", sa.Column("appointment", sa.Text(), nullable=True))
    op.add_column("reading", sa.Column("reader", sa.Integer(), nullable=False, server_default="1"))
    op.create_index("ix_reading_reader", "reading", ["reader", "id"])


def downgrade() -> None:
    """Go down: it can be read again."""
    op.drop_index("ix_reading_reader", "reading")
    op.drop_column("reading", "reader")
    op.drop_column("document", "appointment")
    op.drop_column("document", "content_id")
    op.drop_column("reading", "folds")
