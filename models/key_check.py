"""One sealed known word: opening it tells a wrong key before any account is blamed."""

from sqlalchemy import Text
from sqlmodel import Field, SQLModel

PRESENT = 1
"""The row of the key that seals."""
NEXT = 2
"""The row of the one that takes its place, while all is being sealed with that."""


class KeyCheck(SQLModel, table=True):
    __tablename__ = "key_check"

    id: int = Field(default=PRESENT, primary_key=True)
    canary: str = Field(sa_type=Text)
