"""After a run the owners of accounts are told, where a notifier is set up."""

from prefect import get_run_logger

from lastword import owners
from lastword.services import Services


async def tell_owners(services: Services) -> None:
    """Tell the owners what changed for them; see `lastword.owners`.

    Its trouble never costs the run: what was not delivered is tried after the next one.
    """
    log = get_run_logger()
    try:
        told = await owners.tell_owners(services)
    except Exception:
        # The accounts are done: their run must not fail for this.
        log.warning("Owners could not be told", exc_info=True)
        return
    if told.told:
        log.info("Owners told about their accounts: %s", told.told)
    if told.trouble:
        log.warning("Owners not told yet: %s: %s", told.left, told.trouble)
    elif told.left:
        log.info("Owners not told yet, whose message came back or waits its turn: %s", told.left)
