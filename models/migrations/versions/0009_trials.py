"""First logins with a password are noted before they are made."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("account", sa.Column("trial", sa.String(80), nullable=True))


def downgrade() -> None:
    op.drop_column("account", "trial")
