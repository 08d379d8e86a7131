"""The whole story of one account: newest post → status → compare → publish → outcome."""

from datetime import datetime, timedelta

from lastword.eligibility import Choice, Rules
from lastword.errors import Gone, LoginRefused, Rejected
from lastword.judged import latest
from lastword.lingering import lingers_until
from lastword.outcome import Outcome
from lastword.post import Post
from lastword.publishers.base import MIXED
from lastword.services import Services
from lastword.status import status_of
from models import Account, Health, OutcomeKind
from models.types import now


async def sync(
    account: Account, services: Services, *, force: bool = False, dry_run: bool = False
) -> Outcome:
    """Bring one account's chat status up to its newest eligible post.

    Where none is left, because it was deleted or has expired, the status is cleared. Publishing
    is idempotent, so a story that was cut off anywhere is simply told again.

    Args:
        account: the row, detached; its source and session memory may be assigned.
        services: what all accounts of a run share.
        force: publish even where nothing changed.
        dry_run: do everything but publish.

    Raises:
        LastWordError: Transient, Deferred, Rejected, Gone or Systemic.
    """
    if account.health is Health.NEEDS_OWNER:
        # A refused password tried again gets a whole server banned: nobody overrides this.
        refusal = LoginRefused if account.last_error == LoginRefused.__name__ else Rejected
        again = refusal(account.last_reason or "the account waits for its owner")
        again.host = account.last_host
        raise again

    choice = await _choice(account, services)
    post, status, why = choice.post, status_for(account, choice.post), choice.why
    if post and not status:
        why = "the newest post has no text"
    publisher = services.publishers[account.publisher]
    if not status and not account.published_status and await publisher.stands(account):
        return Outcome(OutcomeKind.SKIPPED, why, post=post, newest=choice.newest)
    is_as_wanted = (account.pep_memory or {}).get("asked", "") == account.pep
    is_ending = ends_soon(
        lingers_until(account), now=now(), until_next_run=services.settings.linger
    )
    is_same = status == account.published_status and is_as_wanted
    if is_same and not is_ending and not force and await publisher.stands(account):
        return Outcome(OutcomeKind.UNCHANGED, _noting("nothing new", choice), post=post)

    async with publisher.session(account) as session:
        shown = await session.current() or ""
        if shown == status and not force:
            reason = "the server has it already" if status else f"cleared already: {why}"
            return Outcome(OutcomeKind.UNCHANGED, _noting(reason, choice), post, status)
        is_theirs = shown not in ("", account.published_status, MIXED)
        if is_theirs and (not status or (is_same and not force)):
            return _theirs(status, why, post)
        if dry_run:
            ready = "a new status is ready" if status else f"the status would be cleared: {why}"
            return Outcome(OutcomeKind.SKIPPED, f"dry run: {ready}", post)
        confirmation = await session.set(status or None, post)
    reason = f"by {confirmation.carrier}" if status else f"cleared: {why}"
    reason += f"; {confirmation.notice}" if confirmation.notice else ""
    return Outcome(
        OutcomeKind.PUBLISHED, _noting(reason, choice), post, status, confirmation.carrier
    )


async def _choice(account: Account, services: Services) -> Choice:
    settings = services.settings
    rules = Rules.of(account, now=now(), max_age=settings.max_age, opt_out=settings.opt_out_tag)
    try:
        return await latest(services.sources[account.source.partition(":")[0]], account, rules)
    except Gone as error:
        return _gone(account, rules, error)
    except Rejected as error:
        if not account.source_memory:
            raise
        # It worked before: an outage or a firewall says such things, too, and heals by itself.
        gone = Gone(str(error))
        gone.host = error.host
        return _gone(account, rules, gone)


def _gone(account: Account, rules: Rules, error: Gone) -> Choice:
    """Clear a status that is stale even where its source says nothing any more."""
    if account.published_status and rules.has_expired(account.published_at):
        return Choice(None, str(error))
    raise error


def _theirs(status: str, why: str, post: Post | None) -> Outcome:
    """Leave what somebody has set by hand since: theirs it stays until there is a new post."""
    if status:
        return Outcome(OutcomeKind.UNCHANGED, "the user has set other words since", post=post)
    return Outcome(OutcomeKind.SKIPPED, f"not ours any more: {why}", status="")


def status_for(account: Account, post: Post | None) -> str:
    """Return the status that a post becomes for an account; empty without a post."""
    if post is None:
        return ""
    return status_of(
        post,
        template=account.template,
        source=account.source,
        length=account.length,
        mentions=account.mentions,
        hashtags=account.hashtags,
    )


def ends_soon(until: datetime | None, *, now: datetime, until_next_run: timedelta) -> bool:
    """Return whether a session that lingers would be gone before the next run can renew it.

    Args:
        until: when the server gives it up (aware); None: none lingers.
        now: the present moment (aware).
        until_next_run: the interval of runs, and a margin.
    """
    return until is not None and until < now + until_next_run


def _noting(reason: str, choice: Choice) -> str:
    return f"{reason}; {choice.notice}" if choice.notice else reason
