"""What may be said of an error that nobody expected: its kind and its place, seldom its own words.

Those may be made of what it was about: `KeyError` quotes the key, `ValueError` the text,
asyncpg the value that it could not store. Ours and those of a few others are made with care.
"""

from traceback import format_tb

# What they say is of code, files, addresses and protocols.
_OF_CODE = (AttributeError, ImportError, NameError, NotImplementedError, OSError, TypeError)
_CAREFUL = frozenset(
    {"anyio", "cli", "deployments", "flows", "httpx", "lastword", "models", "prefect", "tasks"}
)
_MOST_CAUSES = 10


def may_speak(error: BaseException) -> bool:
    """Tell whether an error's own words may be shown and kept."""
    kind = type(error)
    return kind in _OF_CODE or isinstance(error, OSError) or _home(kind) in _CAREFUL


def words(error: BaseException) -> str:
    """Return an error in one line: its kind, and its own words where they may be read."""
    said = str(error) if may_speak(error) else "…"
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def frames(error: BaseException) -> str:
    """Return the traceback of an error and of its causes, as Python shows it, with `words`."""
    parts: list[str] = []
    cause: BaseException | None = error
    while cause and len(parts) < _MOST_CAUSES:
        parts.append("".join((*format_tb(cause.__traceback__), *_inner(cause), words(cause))))
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return "\n\nwhich led to\n\n".join(reversed(parts))


def _inner(error: BaseException) -> list[str]:
    if not isinstance(error, BaseExceptionGroup):
        return []
    return [f"  | {line}\n" for one in error.exceptions[:3] for line in frames(one).splitlines()]


def _home(kind: type[BaseException]) -> str:
    return kind.__module__.partition(".")[0]
