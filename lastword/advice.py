"""What to do about an outcome: one line per class, the same in tables, `why` and alerts."""

_BY_ERROR = {
    "LoginRefused": "`lastword accounts edit {name} --password`: not tried again before",
    "Rejected": (
        "`lastword accounts edit {name} --source …`;"
        " or `lastword accounts resume {name}`, once it was put right over there"
    ),
    "Gone": "Nothing: looked at again once a day, and comes back by itself",
    "Deferred": "Nothing here: tried again when its host allows, or is set up as the reason says",
    "Stopped": "Not the account's fault: `lastword doctor` tells what is wrong here",
    "Abandoned": "Nothing: another process, or the next run, has taken over",
    "Transient": "Nothing yet: tried again by itself, less and less often, but once a day",
    "HolderAway": "Start `lastword hold`, and keep it running: see docs/xmpp.md",
    "SealBroken": "`lastword accounts edit {name} --password`: the sealed one cannot be opened",
    "OtherKey": "`lastword keys show` tells which key is missing",
    "Systemic": "`lastword doctor` tells what is wrong with the installation",
    "KeyTrouble": "`lastword doctor` tells what is wrong with the key",
    "KeyExists": "`lastword doctor` tells what is wrong with the key",
}
_DEFECT = "Read the task run's log in Prefect's UI and report it: this is a defect"

# By words of the reason, as `lastword.eligibility` and `lastword.sync` give them.
_BY_REASON = {
    "is older than": "or take older posts: `lastword accounts edit {name} --max-age 90d`",
    "has expired": "or keep it for longer: `lastword accounts edit {name} --expires-after 7d`",
    "carries #": "its author wants no status of it",
    "none of the words": "or ask for others: `lastword accounts edit {name} --only WORDS`",
    "ruled out": "or rule out less: `lastword accounts edit {name} --never WORDS`",
    "not ours any more": "the user's own words stand until there is a new post",
    "there is no post": "the first public post becomes the status",
    "has no text": "the next post with words in it becomes the status",
}
_NEXT_POST = "the next public post of their own becomes the status"


def advice(error: str | None, name: str) -> str:
    """Return what the operator or owner can do.

    Args:
        error: the class name in `lastword.errors`, as the ledger keeps it.
        name: the account's name.
    """
    return _BY_ERROR.get(error or "", _DEFECT).format(name=name)


def advice_on_skipped(reason: str, name: str) -> str:
    """Return what can be done about a Skipped account; mostly nothing has to be.

    Args:
        reason: the outcome's.
        name: the account's name.
    """
    found = (text for words, text in _BY_REASON.items() if words in reason)
    text = next(found, _NEXT_POST).format(name=name)
    return f"Nothing, {text}" if text.startswith("or ") else f"Nothing: {text}"
