"""What each account wants of PEP, and what of it holds our words."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pep = sa.Column("pep", sa.String(64), nullable=False, server_default=sa.text("''"))
    op.add_column("account", pep)
    op.add_column("account", sa.Column("pep_memory", sa.JSON(), nullable=True))
    # Until now it was the activity, wherever there was no shared status.
    op.execute(
        """UPDATE account SET pep_memory = '{"held": {"activity": ""}}'"""
        " WHERE last_carrier IN ('pep', 'pep+presence') AND published_status IS NOT NULL"
    )


def downgrade() -> None:
    op.drop_column("account", "pep_memory")
    op.drop_column("account", "pep")
