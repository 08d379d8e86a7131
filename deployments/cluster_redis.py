"""Prefect's Redis: is it there, new enough, does it take messages, and keep them?"""

import os
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from lastword.usage import UsageError

SETTING = "LASTWORD_REDIS_URL"
PATIENCE = 10.0
"""Seconds to connect, and for each answer."""
OLDEST = (6, 2)
"""XAUTOCLAIM, by which prefect-redis takes over what another server left."""

_SCHEMES = ("redis", "rediss")
_OURS = "lastword:check"


async def check_redis(url: SecretStr) -> None:
    """Return if a Redis can carry Prefect's messages.

    Raises:
        UsageError: it cannot; the message says what to do, and no password.
    """
    where = _where(url.get_secret_value())
    # Only who has this profile has it installed.
    from redis.asyncio import Redis  # noqa: PLC0415
    from redis.exceptions import RedisError  # noqa: PLC0415

    try:
        client = Redis.from_url(
            url.get_secret_value(), socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE
        )
    except ValueError as error:
        raise UsageError(f"{SETTING}: {error}") from None
    try:
        async with client:
            found = await client.info()
            if fault := _fault(found):
                raise UsageError(f"{where} {fault}")
            await client.xadd(_OURS, {"data": "?"}, maxlen=1)
            await client.delete(_OURS)
    except (RedisError, OSError) as error:
        raise UsageError(f"{where} {_said(error)}") from None


def _where(url: str) -> str:
    try:
        parts = urlsplit(url)
        if parts.scheme in _SCHEMES:
            return f"{SETTING}: Redis at {parts.hostname or 'localhost'}:{parts.port or 6379}"
    except ValueError:
        pass
    raise UsageError(
        f"{SETTING} is malformed: it looks like redis://user:password@host:6379/0, or rediss://…"
    )


def _fault(found: dict[str, Any]) -> str | None:
    version = str(found.get("redis_version", "0"))
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if numbers < OLDEST:
        return f"is version {version}: Prefect needs {'.'.join(map(str, OLDEST))} or newer"
    if found.get("role") == "slave":
        return "is a replica, and takes no messages: name its master"
    policy = str(found.get("maxmemory_policy", ""))
    if found.get("maxmemory") and policy.startswith("allkeys"):
        return (
            f"throws messages away when it is full (maxmemory-policy {policy}): set it to"
            " noeviction"
        )
    return None


def _said(error: Exception) -> str:
    """Return what is wrong and what to do."""
    from redis import exceptions  # noqa: PLC0415

    match error:
        case exceptions.AuthenticationError():
            return "refuses us: look at user and password in the URL"
        case exceptions.NoPermissionError():
            return f"does not let our user do what Prefect does ({error}): give it all commands"
        case exceptions.OutOfMemoryError():
            return "is full: give it more memory (maxmemory)"
        case exceptions.TimeoutError() | TimeoutError():
            return "does not answer: look whether it is up and reachable from here"
        case exceptions.ConnectionError() | OSError():
            return f"cannot be reached ({_cause(error)}): look whether it is up"
    return f"does not serve us ({error}): look at the URL, and at its log"


def _cause(error: BaseException) -> str:
    """Return what the system said, where it said something: redis-py puts it into long words."""
    inner = error.__cause__ or error.__context__ or error
    if isinstance(inner, OSError) and inner.errno and inner.errno > 0:
        return os.strerror(inner.errno)
    return str(getattr(inner, "strerror", None) or inner)
