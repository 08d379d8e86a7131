"""`lastword backup` and `lastword restore`: our own tables, without the key."""

from pathlib import Path

from cli.errors import EXIT_OK, UsageError
from cli.output import say
from deployments.whereabouts import AlreadyUp, not_up
from lastword import backup as backups
from lastword.settings import Settings


async def backup(target: Path, *, force: bool = False) -> int:
    """Save accounts, passwords (sealed), runs and ledger; runs may be under way. Prints the file.

    The key is not in it. Neither is Prefect's database, which is a view of what is.

    Args:
        target: File, or directory to put one in that is named after the moment.
        force: Replace a file that is there already.
    """
    settings = Settings()
    saved = await backups.backup(settings, target, force=force)
    if saved.key_id:
        key = "the value of LASTWORD_KEY" if settings.key is not None else settings.key_path
        say(f"Not in it: the key ({saved.key_id}). Keep a copy of {key} too, in another place.")
    print(saved.file)  # noqa: T201
    return EXIT_OK


async def restore(backup: Path, *, force: bool = False, dry_run: bool = False) -> int:
    """Put a backup in the database's place, brought up to date. Stop `lastword up` first.

    The key must be the one of the backup. What was published since is found by the next run.

    Args:
        backup: File made by `lastword backup`.
        force: Replace a database that is there already; a SQLite file is kept beside.
        dry_run: Check backup, key and place, and change nothing.
    """
    settings = Settings()
    try:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        with not_up(settings.data_dir):
            done = await backups.restore(settings, backup, force=force, dry_run=dry_run)
    except AlreadyUp as error:
        raise UsageError(str(error)) from None
    except OSError as error:
        raise UsageError(
            f"the data directory {settings.data_dir} cannot be used ({error.strerror}):"
            " set LASTWORD_DATA_DIR"
        ) from None
    schema = "would be brought" if dry_run else "brought"
    also = f", {schema} up to date from revision {done.revision}" if done.upgraded else ""
    say(f"{backup} {'can be' if dry_run else 'is'} restored{also}")
    if done.kept:
        say(f"The database of before is kept as {done.kept}")
    return EXIT_OK
