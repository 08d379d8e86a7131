"""One attempt at one account: load, sync, judge what went wrong, record the outcome."""

from time import monotonic

from sqlalchemy.exc import SQLAlchemyError

from lastword.defect import defect
from lastword.errors import LastWordError, Rejected, Stopped, Systemic, Transient
from lastword.outcome import Outcome
from lastword.record import Recorded, quarantine, record
from lastword.runs import AccountRef
from lastword.services import Services
from lastword.sync import sync
from models import Account, Health, OutcomeKind
from models.errors import DatabaseTrouble


async def attempt(
    ref: AccountRef,
    run_id: int | None,
    services: Services,
    *,
    last: bool,
    force: bool = False,
    dry_run: bool = False,
) -> tuple[Outcome, Recorded]:
    """Try one account once and record what became of it.

    Args:
        ref: the account.
        run_id: the run; None (a dry run) records nothing but a refusal, which is never met twice.
        services: what all accounts of a run share.
        last: whether no retry follows, so that a Transient is the outcome.
        force: publish even where nothing changed.
        dry_run: do everything but publish.

    Raises:
        Transient: worth another attempt, and one follows.
        Systemic: our own database failed, so nothing could be recorded.
        Abandoned: nobody wants an outcome any more, and there is none.
    """
    if services.abandoned:
        raise services.abandoned
    began = monotonic()
    try:
        account = await services.database.accounts.load(ref.id)
        if account is None:
            return Outcome(OutcomeKind.SKIPPED, "the account was removed meanwhile"), Recorded()
        if not account.active:
            outcome = Outcome(OutcomeKind.SKIPPED, "the account was paused meanwhile")
        else:
            outcome = await _outcome(account, services, last=last, force=force, dry_run=dry_run)
        if run_id is None:
            if isinstance(outcome.error, Rejected):
                await quarantine(services.database, account, outcome.error)
            return outcome, Recorded()
        recorded = await record(
            services.database,
            run_id,
            account,
            outcome,
            monotonic() - began,
            quiet_after=services.settings.quiet_after,
        )
    except (SQLAlchemyError, DatabaseTrouble) as error:
        # DatabaseTrouble speaks to people; what SQLAlchemy says may hold a row's values.
        said = str(error) if isinstance(error, DatabaseTrouble) else type(error).__name__
        trouble = Systemic(f"the database failed: {said}")
        services.troubles.setdefault(None, trouble)
        raise trouble from None
    return outcome, recorded


async def _outcome(
    account: Account, services: Services, *, last: bool, force: bool, dry_run: bool
) -> Outcome:
    # What waits for its owner is Failed again, whatever else is wrong: a refusal is not forgotten.
    trouble = services.trouble_with(account)
    if dry_run:
        account.session_memory = None  # once resumed it would have to be saved anew
    if trouble and account.health is not Health.NEEDS_OWNER:
        return _stopped(trouble)
    try:
        return await _synced(account, services, force=force, dry_run=dry_run)
    except Transient as error:
        if not last:
            raise
        return Outcome.of_error(error)
    except Systemic as error:
        services.troubles.setdefault(error.kind, error)
        return _stopped(error)
    except LastWordError as error:
        return Outcome.of_error(error)
    except (SQLAlchemyError, DatabaseTrouble):
        raise
    except Exception as error:  # noqa: BLE001 (one account's surprise must not become another's)
        return Outcome.of_error(defect(error))


async def _synced(account: Account, services: Services, *, force: bool, dry_run: bool) -> Outcome:
    outcome = await sync(account, services, force=force, dry_run=dry_run)
    if not dry_run:  # what was another publisher's comes down once the new one has shown its own
        for name, publisher in services.publishers.items():
            if name != account.publisher:
                await publisher.withdraw(account)
    return outcome


def _stopped(trouble: Systemic) -> Outcome:
    what = f"{trouble.kind} is out of action" if trouble.kind else "the run was stopped"
    return Outcome.of_error(Stopped(f"{what}: {trouble}"))
