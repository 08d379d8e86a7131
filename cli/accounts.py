"""`lastword accounts …`: adding and changing one account."""

from dataclasses import replace
from typing import Annotated

from cyclopts import App, Parameter

from cli.ask import ask_password, confirm
from cli.errors import EXIT_FAILED, EXIT_OK, UsageError
from cli.output import say
from cli.preview import show
from cli.wiring_options import WiringOptions, checked_option
from lastword import accounts
from lastword.address import understand
from lastword.secrets import Keyring
from lastword.settings import Settings
from lastword.wiring import WITHOUT_PASSWORD, Wiring
from models import Health
from models.database import Database

app = App(name="accounts", help="Add, change and list accounts.")
app.command("cli.accounts_list:list_", name="list", help="List accounts.")
app.command("cli.accounts_list:show", name="show", help="Show one account.")
app.command("cli.accounts_files:import_", name="import", help="Import accounts from a file.")
app.command("cli.accounts_files:export", name="export", help="Export accounts, without secrets.")

Flag = Annotated[bool, Parameter(negative="")]


@app.command
async def add(
    name: str,
    source: str,
    jid: str,
    /,
    *,
    options: WiringOptions | None = None,
    password_stdin: Flag = False,
    unseen: Flag = False,
) -> int:
    """Add an account, and show what its status would be now.

    The password is asked for, or read from stdin or LASTWORD_PASSWORD.

    Args:
        name: What to call the account: letters, digits and . _ @ + -
        source: Where the posts are: @alice@social.example, or the address of a profile or blog
        jid: Whose status to set, such as alice@chat.example
        options: What becomes a status, and how.
        password_stdin: Read the password from stdin.
        unseen: Do not look at the source; add it as it is.
    """
    wiring = Wiring(
        name=checked_option("name", name),
        source=_understood(source),
        jid=checked_option("jid", jid),
        **(options or WiringOptions()).checked(),
    )
    settings = Settings()
    async with Database.open(settings.database) as database:
        await accounts.check_free(database, wiring.name)
        keyring, password = None, None
        if wiring.publisher not in WITHOUT_PASSWORD:
            keyring = await open_keyring(settings, database)
        if not unseen:
            await show(wiring, settings)
        if keyring:
            password = ask_password(f"Password of {wiring.jid}", stdin=password_stdin)
        await accounts.add(database, wiring, password=password, keyring=keyring)
    say(f"Added {wiring.name}: {wiring.source} → {wiring.jid}, due at the next run")
    return EXIT_OK


@app.command
async def edit(  # noqa: PLR0913 (the options of a command)
    name: str,
    /,
    *,
    source: str | None = None,
    jid: str | None = None,
    rename: str | None = None,
    options: WiringOptions | None = None,
    password: Flag = False,
    password_stdin: Flag = False,
    unseen: Flag = False,
) -> int:
    """Change an account; a new source, JID, publisher, password or --pep ends its quarantine.

    Args:
        name: The account.
        source: New source, as for `accounts add`; its newest post is shown.
        jid: New JID; on another server it needs its password too.
        rename: New name.
        options: What becomes a status, and how.
        password: Ask for a new password (or take LASTWORD_PASSWORD).
        password_stdin: Read a new password from stdin.
        unseen: Do not look at the new source.
    """
    given = {"name": rename, "jid": jid}
    changes = {it: checked_option(it, text) for it, text in given.items() if text is not None}
    if source is not None:
        changes["source"] = _understood(source)
    changes |= (options or WiringOptions()).checked()
    settings = Settings()
    if not changes and not password and not password_stdin:
        raise UsageError("nothing to change: see `lastword accounts edit --help`")
    async with Database.open(settings.database) as database:
        account = await accounts.find(database, name)
        keyring, secret = None, None
        if password or password_stdin:
            keyring = await open_keyring(settings, database)
        if source is not None and not unseen:
            await show(replace(Wiring.of(account), **changes), settings)
        if keyring:
            jid = changes.get("jid", account.jid)
            secret = ask_password(f"New password of {jid}", stdin=password_stdin)
        account = await accounts.edit(
            database, account.name, changes, password=secret, keyring=keyring
        )
    now = f": {account.source} → {account.jid}" if source is not None else ""
    say(f"Changed {account.name}{now}")
    return EXIT_OK


@app.command
async def pause(name: str, /) -> int:
    """Leave an account out of runs until it is resumed.

    Args:
        name: The account.
    """
    async with Database.open(Settings().database) as database:
        account = await accounts.pause(database, name)
    say(f"Paused {account.name}")
    return EXIT_OK


@app.command
async def resume(name: str, /) -> int:
    """Take a paused account into runs again.

    Args:
        name: The account.
    """
    async with Database.open(Settings().database) as database:
        account = await accounts.resume(database, name)
    say(f"Resumed {account.name}")
    if account.health is Health.NEEDS_OWNER:
        say(f"It still waits for its owner: see `lastword why {account.name}`")
    return EXIT_OK


@app.command
async def remove(name: str, /, *, yes: Flag = False, dry_run: Flag = False) -> int:
    """Remove an account, its password and its history; its status stays as it is.

    Args:
        name: The account.
        yes: Do not ask.
        dry_run: Only say what would be removed.
    """
    async with Database.open(Settings().database) as database:
        account = await accounts.find(database, name)
        what = f"{account.name} ({account.source} → {account.jid})"
        if dry_run:
            say(f"Would remove {what}")
            return EXIT_OK
        if not yes and not confirm(f"Remove {what} and its history?", otherwise="add --yes"):
            say("Nothing was removed")
            return EXIT_FAILED
        await accounts.remove(database, account.name)
    say(f"Removed {account.name}")
    return EXIT_OK


def _understood(pasted: str) -> str:
    """Return the source address that somebody means, checked.

    Raises:
        UsageError: it is none; the message says what one looks like.
    """
    try:
        address = str(understand(pasted))
    except ValueError as error:
        raise UsageError(str(error)) from None
    return str(checked_option("source", address))


async def open_keyring(settings: Settings, database: Database) -> Keyring:
    """Return the keyring, which is the database's own: another one would spoil the account."""
    keyring = Keyring.load(settings)
    await keyring.check(database)
    return keyring
