"""Run by Alembic: migrates the connection that `models.schema` hands over, in its transaction."""

from alembic import context
from sqlalchemy import Connection
from sqlmodel import SQLModel

import models

_ = models  # importing it fills the metadata

connection: Connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=SQLModel.metadata,
    # SQLite cannot alter most of a table: it is made anew, filled and renamed.
    render_as_batch=connection.dialect.name == "sqlite",
)
with context.begin_transaction():
    context.run_migrations()
