"""By which publisher and carrier an account's status stands, why, and what would better that."""

from lastword.publishers.pep import DEFAULT, NAME, NONE
from lastword.publishers.pubsub import PRESENCE, UNKNOWN
from lastword.publishers.shared_status import SharedStatus
from models import Account
from models.account import UNSETTLED

_MODULE = 'modules_enabled = { "shared_status" } with our module for Prosody'
_RIGHT = f', and ["{SharedStatus.NS}"] = "both" for the component,'
_STAY = "smacks_hibernation_time = 3600 (Prosody) or max_resume_timeout: 3600 (ejabberd)"
_SEEN_BY_ALL = ("", PRESENCE, "open")


def way(account: Account) -> str:
    """Return which publisher and carriers hold the status, and why these."""
    carriers = _carriers(account)
    if _is_handed_over(account):
        return f"{account.last_carrier}, by another publisher: the next run hands it over"
    if account.publisher == "hold":
        why = "the holder keeps a session open that shows it"
    elif SharedStatus.NAME in carriers:
        why = "the server keeps the words for all of the user's devices"
        if NAME in carriers:
            why += f", and the account wants its {_kinds(account)} as well"
    elif NAME in carriers:
        if account.publisher == "operator":
            why = "the server has no shared status, or does not let us set it, and keeps the"
        else:
            why = "the server has no shared status, and keeps the"
        why += f" {_kinds(account)}"
    elif account.pep == NONE:
        why = "the server has no shared status, and the account wants none of PEP"
    else:
        why = "the server has neither a shared status nor PEP for this user"
    return f"{account.publisher}, {account.last_carrier}: {why}"


def better(account: Account, *, lingers: bool = False) -> list[str]:
    """Return what would let more people see the status, or see it for longer.

    Args:
        account: the account.
        lingers: whether our presence stays between runs.
    """
    carriers, held = _carriers(account), _held(account)
    found: list[str] = []
    if _is_handed_over(account):
        return found
    if SharedStatus.NAME not in carriers:
        lines = _MODULE + (_RIGHT if account.publisher == "operator" else "")
        found.append(
            f"{_now(account, carriers, lingers=lingers)}; on the server {lines} puts it beside the"
            " name at all times, in every client (docs/xmpp.md)"
        )
        if account.publisher == "login" and not lingers:
            found.append(
                f"{_STAY} on the server lets the words stay between runs, beside the name of a"
                " device of ours"
            )
    for kind, access_model in held.items():
        if access_model not in _SEEN_BY_ALL:
            model = "another" if access_model == UNKNOWN else access_model
            found.append(
                f"not all contacts see the {kind}: the access model of its node is {model}, by the"
                f" user's choice; with {PRESENCE} all would"
            )
    has_none = account.pep in (DEFAULT, NONE) or account.publisher == "hold"
    wanted = [] if has_none else account.pep.split(",")
    is_settled = (account.pep_memory or {}).get("asked", DEFAULT) == account.pep
    found.extend(
        f"the server keeps no {kind}, though the account wants it:"
        ' modules_enabled = { "pep" } there (Prosody), mod_pubsub with the plugin pep (ejabberd)'
        for kind in wanted
        if is_settled and kind not in held
    )
    return found


def _now(account: Account, carriers: list[str], *, lingers: bool) -> str:
    if lingers:
        return "contacts see it beside the name of a device of ours"
    if account.publisher == "hold":
        return "contacts see it while no device of the user's own is online"
    between = "between runs " if account.publisher == "login" else ""
    if NAME in carriers:
        return f"{between}contacts see it where their client shows {_kinds(account, many=True)}"
    return "between runs it is gone"


def _kinds(account: Account, *, many: bool = False) -> str:
    names = list(_held(account)) or ["activity"]
    if many:
        names = [{"activity": "activities"}.get(it, f"{it}s") for it in names]
    return " and ".join(names)


def _is_handed_over(account: Account) -> bool:
    return (account.pep_memory or {}).get("asked") == UNSETTLED


def _held(account: Account) -> dict[str, str]:
    return dict((account.pep_memory or {}).get("held", {}))


def _carriers(account: Account) -> list[str]:
    return (account.last_carrier or "").split("+")
