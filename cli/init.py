"""`lastword init`: everything that must be there before the first account. Safe to repeat."""

from contextlib import suppress

from cli.errors import EXIT_OK, UsageError
from cli.output import say
from lastword.keyfile import has_key
from lastword.secrets import KeyExists, Keyring, KeyTrouble, sealing_keys
from lastword.settings import Settings
from models import schema
from models.database import Database


async def init() -> int:
    """Make what is missing of data directory, database and key; bring the database up to date."""
    settings = Settings()
    _make_data_dir(settings)
    async with Database.open(settings.database, check=False) as database:
        done = await schema.upgrade(database)
        say(f"Database {database.file or database.url.database}: {done}")
        had_key = has_key(settings)
        if not had_key:
            await _make_key(settings, database)
        await Keyring.load(settings).adopt(database)
    if had_key:
        say(f"Key {settings.key_path if settings.key is None else 'LASTWORD_KEY'}: in place")
    say("Next: lastword accounts add NAME SOURCE JID")
    return EXIT_OK


def _make_data_dir(settings: Settings) -> None:
    try:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"the data directory {settings.data_dir} cannot be made ({error.strerror}):"
            " set LASTWORD_DATA_DIR"
        ) from None


async def _make_key(settings: Settings, database: Database) -> None:
    async with database.session() as session:
        others = await sealing_keys(session)
    if others:
        raise KeyTrouble(
            f"there is no key at {settings.key_path}, and the database holds passwords sealed with"
            f" key {', '.join(sorted(others))}: restore that key, for a new one cannot open them"
        )
    with suppress(KeyExists):  # made by another `lastword init` at the same moment
        Keyring.create(settings.key_path)
        say(f"Key {settings.key_path}: created; keep a copy, apart from the database's backups")
