"""What the holder shows; on PostgreSQL the database itself tells the holder what has changed."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)

_FUNCTION = """
CREATE FUNCTION lastword_tell_holder() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM pg_notify('lastword_hold', ''); RETURN NULL; END $$
"""
# PostgreSQL changes the type of such a column only once its trigger is dropped.
_TRIGGERS = {
    "account": "INSERT OR DELETE OR UPDATE OF active, jid, publisher, secret, edited_at",
    "held": "INSERT OR UPDATE OF asked",
}


def upgrade() -> None:
    op.create_table(
        "held",
        sa.Column("account_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("wanted", sa.Text(), nullable=True),
        sa.Column("asked", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.Column("answered", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.Column("shown", sa.Text(), nullable=True),
        sa.Column("up_since", MOMENT, nullable=True),
        sa.Column("error", sa.String(32), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("tried", sa.String(64), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
            name=op.f("fk_held_account_id_account"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_held")),
    )
    op.create_table(
        "holder_beat",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("token", sa.String(32), nullable=False),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("beat_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_holder_beat")),
    )
    if _is_postgresql():
        op.execute(_FUNCTION)
        for table, events in _TRIGGERS.items():
            op.execute(
                f"CREATE TRIGGER tell_holder AFTER {events} ON {table}"
                " FOR EACH STATEMENT EXECUTE FUNCTION lastword_tell_holder()"
            )


def downgrade() -> None:
    if _is_postgresql():
        op.execute("DROP FUNCTION lastword_tell_holder CASCADE")
    op.drop_table("holder_beat")
    op.drop_table("held")


def _is_postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"
