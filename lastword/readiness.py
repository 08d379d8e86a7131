"""Whether this installation can do its work, asked again and again: cheap, and never raising."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from lastword.errors import LastWordError
from lastword.secrets import Keyring
from lastword.settings import Settings
from models import schema
from models.database import Database
from models.errors import DatabaseTrouble

Check = Callable[[], Awaitable[str | None]]
"""Returns what is wrong, or None."""


async def readiness(
    settings: Settings, database: Database, more: Mapping[str, Check]
) -> dict[str, Any]:
    """Return `ready`, and for each part `ok` or what is wrong with it.

    Args:
        settings: where the key is; it is read anew, for it may have gone.
        database: ours.
        more: what else has to be well, by name.
    """

    async def reachable() -> None:
        await schema.check(database)

    async def opening() -> None:
        await Keyring.load(settings).check(database)

    found: dict[str, str] = {}
    for name, check in {"database": reachable, "key": opening, **more}.items():
        try:
            found[name] = await check() or "ok"
        except (LastWordError, DatabaseTrouble) as error:
            found[name] = str(error)
    return {"ready": set(found.values()) == {"ok"}, **found}
