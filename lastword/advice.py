"""What to do about an error: one line per class, the same in tables, `why` and alerts."""


def advice(error: str | None, name: str) -> str:
    """Return what the operator or owner can do.

    Args:
        error: the class name in `lastword.errors`, as the ledger keeps it.
        name: the account's name.
    """
    match error:
        case "LoginRefused":
            return f"`lastword accounts edit {name} --password`: not tried again before"
        case "Rejected":
            return f"`lastword accounts edit {name}`, or `resume {name}` if it was put right there"
        case "Gone":
            return "Nothing: looked at again once a day, and comes back by itself"
        case "Deferred":
            return "Nothing: tried again when its host allows"
        case "Transient":
            return f"Nothing yet: tried again in the next run; if it lasts, `lastword why {name}`"
        case _:
            return "Read the task run's log in Prefect's UI and report it: this is a defect"
