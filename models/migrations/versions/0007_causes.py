"""The open causes of trouble, and the host that an account's last error happened at."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0005"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("account", sa.Column("last_host", sa.String(300), nullable=True))
    op.create_table(
        "cause",
        sa.Column("key", sa.String(340), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("host", sa.String(300), nullable=True),
        sa.Column("since", MOMENT, nullable=False),
        sa.Column("told_at", MOMENT, nullable=True),
        sa.Column("clear_since", MOMENT, nullable=True),
        sa.Column("runs", sa.Integer(), nullable=False),
        sa.Column("accounts", sa.JSON(), nullable=False),
        sa.Column("says", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_cause")),
    )


def downgrade() -> None:
    op.drop_table("cause")
    op.drop_column("account", "last_host")
