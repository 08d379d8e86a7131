"""What to do about an error: one line per class, the same in tables, `why` and alerts."""

_BY_ERROR = {
    "LoginRefused": "`lastword accounts edit {name} --password`: not tried again before",
    "Rejected": "`lastword accounts edit {name}`, or `resume {name}` if it was put right there",
    "Gone": "Nothing: looked at again once a day, and comes back by itself",
    "Deferred": "Nothing here: tried again when its host allows, or is set up as the reason says",
    "Stopped": "Not the account's fault: `lastword doctor` tells what is wrong here",
    "Transient": "Nothing yet: tried again in the next run; if it lasts, `lastword why {name}`",
    "SealBroken": "`lastword accounts edit {name} --password`: the sealed one cannot be opened",
    "Systemic": "`lastword doctor` tells what is wrong with the installation",
    "KeyTrouble": "`lastword doctor` tells what is wrong with the key",
    "KeyExists": "`lastword doctor` tells what is wrong with the key",
}
_DEFECT = "Read the task run's log in Prefect's UI and report it: this is a defect"


def advice(error: str | None, name: str) -> str:
    """Return what the operator or owner can do.

    Args:
        error: the class name in `lastword.errors`, as the ledger keeps it.
        name: the account's name.
    """
    return _BY_ERROR.get(error or "", _DEFECT).format(name=name)
