"""What each account wants of its posts and statuses, and when it was last looked at."""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    for column in _columns():
        op.add_column("account", column)
    op.create_index(op.f("ix_account_checked_at"), "account", ["checked_at"])


def downgrade() -> None:
    op.drop_index(op.f("ix_account_checked_at"), "account")
    for column in _columns():
        op.drop_column("account", column.name)


def _columns() -> Iterator[sa.Column[Any]]:
    yield sa.Column("length", sa.Integer(), nullable=False, server_default="200")
    yield sa.Column("mentions", sa.Boolean(), nullable=False, server_default=sa.true())
    yield sa.Column("hashtags", sa.Boolean(), nullable=False, server_default=sa.true())
    yield sa.Column("max_age", sa.Interval(), nullable=True)
    yield sa.Column("expires_after", sa.Interval(), nullable=True)
    yield sa.Column("only", sa.String(1024), nullable=False, server_default=sa.text("''"))
    yield sa.Column("never", sa.String(1024), nullable=False, server_default=sa.text("''"))
    yield sa.Column("checked_at", MOMENT, nullable=True)
