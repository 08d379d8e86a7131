"""One index for choosing who is due, in place of three that no query used."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

COLUMNS = ["checked_at", "name", "due_at", "active", "health", "id"]
BEFORE = ("active", "due_at", "checked_at")


def upgrade() -> None:
    op.create_index("ix_account_due", "account", COLUMNS)
    for column in BEFORE:
        op.drop_index(op.f(f"ix_account_{column}"), "account")


def downgrade() -> None:
    for column in BEFORE:
        op.create_index(op.f(f"ix_account_{column}"), "account", [column])
    op.drop_index("ix_account_due", "account")
