"""What owners were told of their accounts, and the notifier's login that was refused."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "owner_notice",
        sa.Column("account_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("jid", sa.String(3071), nullable=False),
        sa.Column("since", MOMENT, nullable=False),
        sa.Column("edited_at", MOMENT, nullable=False),
        sa.Column("told_at", MOMENT, nullable=True),
        sa.Column("tried_at", MOMENT, nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
            name=op.f("fk_owner_notice_account_id_account"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_owner_notice")),
    )
    op.create_table(
        "refused_notifier",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("mark", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refused_notifier")),
    )


def downgrade() -> None:
    op.drop_table("refused_notifier")
    op.drop_table("owner_notice")
