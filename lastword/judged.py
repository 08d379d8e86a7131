"""Asking a source that remembers what was chosen under the settings of its time."""

from lastword.eligibility import MAX_AGE, OPT_OUT, Choice, Rules
from lastword.sources.base import Source
from lastword.span import format_span
from models import Account

_MARK = "judged_by"


async def latest(source: Source, account: Account, rules: Rules) -> Choice:
    """Return the newest eligible post. See `Source.latest`.

    Where the last choice was made under another greatest age or opt-out tag it is dropped from
    the memory, and with it what would have it answered again: the source is asked in full, once.
    """
    mark = _mark_of(rules)
    if account.source_memory.get(_MARK, "") != mark:
        account.source_memory = _without(account, source.judged | {_MARK})
    try:
        return await source.latest(account, rules)
    finally:
        if mark and (memory := _without(account, {_MARK})):  # an empty one says: never found
            account.source_memory = memory | {_MARK: mark}


def _mark_of(rules: Rules) -> str:
    """Return the settings as the memory keeps them; nothing for the usual ones, as ever before."""
    if (rules.max_age, rules.opt_out) == (MAX_AGE, OPT_OUT):
        return ""
    return f"{format_span(rules.max_age)} #{rules.opt_out}"


def _without(account: Account, names: frozenset[str] | set[str]) -> dict[str, object]:
    return {name: it for name, it in account.source_memory.items() if name not in names}
