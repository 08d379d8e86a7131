"""One sealed known word: opening it tells a wrong key before any account is blamed."""

from sqlalchemy import Text
from sqlmodel import Field, SQLModel


class KeyCheck(SQLModel, table=True):
    __tablename__ = "key_check"

    id: int = Field(default=1, primary_key=True)
    canary: str = Field(sa_type=Text)
