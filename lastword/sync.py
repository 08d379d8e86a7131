"""The whole story of one account: newest post → status → compare → publish → outcome."""

from lastword.address import SourceAddress
from lastword.errors import Gone, LoginRefused, Rejected
from lastword.outcome import Outcome
from lastword.services import Services
from lastword.status import status_of
from models import Account, Health, OutcomeKind


async def sync(
    account: Account, services: Services, *, force: bool = False, dry_run: bool = False
) -> Outcome:
    """Bring one account's chat status up to its newest eligible post.

    Publishing is idempotent, so a story that was cut off anywhere is simply told again.

    Args:
        account: the row, detached; its source memory may be assigned.
        services: what all accounts of a run share.
        force: publish even where nothing changed.
        dry_run: do everything but publish.

    Raises:
        LastWordError: Transient, Deferred, Rejected, Gone or Systemic.
    """
    if account.health is Health.NEEDS_OWNER:
        # A refused password tried again gets a whole server banned: nobody overrides this.
        refusal = LoginRefused if account.last_error == LoginRefused.__name__ else Rejected
        raise refusal(account.last_reason or "the account waits for its owner")

    try:
        post = await services.sources[SourceAddress.parse(account.source).kind].latest(account)
    except Rejected as error:
        if not account.source_memory:
            raise
        # It worked before: an outage or a firewall says such things, too, and heals by itself.
        raise Gone(str(error)) from error
    if post is None:
        return Outcome(OutcomeKind.SKIPPED, "there is no eligible post")
    status = status_of(post, template=account.template, source=account.source)
    if not status:
        return Outcome(OutcomeKind.SKIPPED, "the newest post has no text", post=post)
    if status == account.published_status and not force:
        return Outcome(OutcomeKind.UNCHANGED, "nothing new since we published", post=post)

    async with services.publishers[account.publisher].session(account) as session:
        if await session.current() == status and not force:
            return Outcome(
                OutcomeKind.UNCHANGED, "the server has it already", post=post, status=status
            )
        if dry_run:
            return Outcome(OutcomeKind.SKIPPED, "dry run: a new status is ready", post=post)
        confirmation = await session.set(status)
    return Outcome(
        OutcomeKind.PUBLISHED,
        f"by {confirmation.carrier}",
        post=post,
        status=status,
        carrier=confirmation.carrier,
    )
