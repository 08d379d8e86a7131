"""`lastword accounts list` and `show`: never a secret, only whether there is one."""

from datetime import datetime
from typing import Any

from cli.accounts import Flag
from cli.errors import EXIT_OK
from cli.output import print_json, print_table, say
from lastword import accounts
from lastword.settings import Settings
from models import Account, Health
from models.database import Database

_SHOWN = (
    "name",
    "source",
    "jid",
    "publisher",
    "template",
    "length",
    "mentions",
    "hashtags",
    "max_age",
    "expires_after",
    "only",
    "never",
    "pep",
    "active",
    "health",
    "health_since",
    "failures",
    "due_at",
    "published_status",
    "published_at",
    "last_outcome",
    "last_reason",
    "last_carrier",
    "last_at",
    "created_at",
    "edited_at",
)


async def list_(*, health: Health | None = None, json: Flag = False) -> int:
    """List accounts.

    Args:
        health: Only those of this health.
        json: Print them as JSON.
    """
    async with Database.open(Settings().database) as database:
        found = await accounts.list_accounts(database, health)
    if json:
        print_json([_shown(account) for account in found])
    elif found:
        headings = ("Name", "Source", "JID", "Publisher", "Health", "Last outcome")
        print_table(headings, [_row(account) for account in found])
    else:
        say("No accounts" + (" of this health" if health else ": add one by `accounts add`"))
    return EXIT_OK


async def show(name: str, /, *, json: Flag = False) -> int:
    """Show one account.

    Args:
        name: The account.
        json: Print it as JSON.
    """
    async with Database.open(Settings().database) as database:
        account = await accounts.find(database, name)
    shown = _shown(account)
    if json:
        print_json(shown)
    else:
        rows = [(name.replace("_", " "), _text(value)) for name, value in shown.items()]
        print_table(("", account.name), rows)
    return EXIT_OK


def _shown(account: Account) -> dict[str, Any]:
    return {name: getattr(account, name) for name in _SHOWN} | {
        "password_set": account.secret is not None
    }


def _row(account: Account) -> tuple[str, ...]:
    last = f"{account.last_outcome or 'not tried yet'}"
    if account.last_at:
        last = f"{last}, {account.last_at:%Y-%m-%d %H:%M}"
    health = account.health.replace("_", " ") if account.active else "paused"
    return (account.name, account.source, account.jid, account.publisher, health, last)


def _text(value: object) -> str:
    match value:
        case None:
            return ""
        case True:
            return "yes"
        case False:
            return "no"
        case datetime():
            return f"{value:%Y-%m-%d %H:%M} UTC"
        case _:
            return str(value)
