"""The data directory, made where it is missing, and seen to be ours before anything is begun."""

from pathlib import Path
from tempfile import TemporaryFile

from lastword.usage import UsageError

PARTS = ("logs", "prefect")


def make_usable(data_dir: Path) -> None:
    """Make the data directory and its parts where they are missing, for this user only.

    Raises:
        UsageError: this user cannot make one, or write there: others' files may be in the way,
            of a command that was run as root, say.
    """
    try:
        for place in (data_dir, *(data_dir / part for part in PARTS)):
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
            with TemporaryFile(dir=place):
                pass
        for file in (data_dir / "up.lock", data_dir / "up.json", *data_dir.glob("logs/*.log")):
            if file.exists():
                file.open("ab").close()
    except OSError as error:
        at = f": {error.filename}" if error.filename else ""
        raise UsageError(
            f"the data directory {data_dir} cannot be used ({error.strerror}{at}): set"
            " LASTWORD_DATA_DIR to one that this user may write to"
        ) from None
