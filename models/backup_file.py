"""A backup as a file: it appears whole, for its owner only, and says what it holds."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from models.errors import DatabaseTrouble


class Kind(StrEnum):
    """What a backup can be restored into."""

    SQLITE = "SQLite"
    POSTGRESQL = "PostgreSQL"


_BEGINS = {b"SQLite format 3\0": Kind.SQLITE, b"PGDMP": Kind.POSTGRESQL}


@dataclass(frozen=True, slots=True)
class Contents:
    """What has to be known of a backup before anything is replaced by it.

    Attributes:
        revision: the schema's revision.
        canary: the sealed known word, which tells the key; None: it was never initialised.
    """

    revision: str
    canary: str | None


def kind_of(file: Path) -> Kind:
    """Return what made a backup.

    Raises:
        DatabaseTrouble: it cannot be read, or nothing of ours made it.
    """
    try:
        with file.open("rb") as stream:
            start = stream.read(16)
    except OSError as error:
        raise DatabaseTrouble(f"the backup {file} cannot be read: {error.strerror}") from None
    for begin, kind in _BEGINS.items():
        if start.startswith(begin):
            return kind
    raise DatabaseTrouble(f"{file} is no backup of Last Word: it was not made by `lastword backup`")


@contextmanager
def appearing(file: Path, *, force: bool) -> Iterator[Path]:
    """Yield an empty file to write to, and let it appear under its name when the block ends well.

    Args:
        file: where it is to appear.
        force: whether one that is there already is replaced.

    Raises:
        DatabaseTrouble: there is one, or none can be made there.
    """
    try:
        handle, name = tempfile.mkstemp(prefix=f".{file.name}-", dir=file.parent)
        os.close(handle)
    except OSError as error:
        raise DatabaseTrouble(f"{file} cannot be made: {error.strerror}") from None
    temporary = Path(name)
    try:
        yield temporary
        sync(temporary)
        if force:
            temporary.replace(file)
        else:
            file.hardlink_to(temporary)
        sync(file.parent)
    except FileExistsError:
        raise DatabaseTrouble(
            f"{file} is there already and was left as it is: `--force` replaces it"
        ) from None
    except OSError as error:
        raise DatabaseTrouble(f"{file} cannot be made: {error.strerror}") from None
    finally:
        temporary.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Return when what was written to a file, or the names in a directory, would survive."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
