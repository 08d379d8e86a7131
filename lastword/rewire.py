"""Setting an account's wiring anew, with all that follows from it for health and memory."""

from pydantic import SecretStr

from lastword.errors import LoginRefused
from lastword.jid import domain_of
from lastword.secrets import Keyring
from lastword.usage import UsageError
from lastword.wiring import WITHOUT_PASSWORD, Wiring
from models import Account, Health
from models.account import UNSETTLED
from models.types import now

_RULES = frozenset({"max_age", "expires_after", "only", "never"})


def check_password_needed(account: Account, to: Wiring, password: SecretStr | None) -> None:
    """Check that a password is at hand where the new wiring needs another one.

    A password belongs to one server: it is never shown to a second.

    Raises:
        UsageError: it is not; the message says for which server to give it.
    """
    before, after = domain_of(account.jid), domain_of(to.jid)
    if before != after and account.secret and not password and to.publisher not in WITHOUT_PASSWORD:
        raise UsageError(f"the saved password is for {before}: give the one for {after} with it")


def rewire(
    account: Account,
    to: Wiring,
    *,
    password: SecretStr | None = None,
    keyring: Keyring | None = None,
) -> bool:
    """Set an account's wiring; the caller commits.

    What was refused may now be right: a changed JID or password ends the quarantine, and so does a
    changed source, publisher or choice of PEP, but not that of a refused login; a publisher that
    needs no password ends that as well, and the refused one is dropped. What was remembered of
    another source, or published for another JID, is dropped.

    Args:
        account: the row, flushed.
        to: checked wiring.
        password: a new password.
        keyring: seals it; only needed with a password.

    Returns:
        Whether anything changed.

    Raises:
        UsageError: the JID moves to another server, and the password for it is missing.
    """
    check_password_needed(account, to, password)
    changed = {field for field, value in to.values().items() if value != getattr(account, field)}
    moved = domain_of(to.jid) != domain_of(account.jid)
    for field in changed:
        setattr(account, field, getattr(to, field))
    if moved:
        account.secret = None
    if password and keyring:
        account.secret = keyring.seal_password(account, password)
        changed.add("secret")
    _forget(account, changed)
    if changed and account.health is Health.OK and account.last_error is None:
        account.due_at = None  # it was quiet: what people change they want to see
    if changed & {"source", "jid", "publisher", "secret", "pep", *_RULES}:
        account.edited_at = now()
    is_refused = account.last_error == LoginRefused.__name__
    is_freed = "publisher" in changed and to.publisher in WITHOUT_PASSWORD
    if is_refused and is_freed:
        account.secret = None
    if (
        changed & {"jid", "secret"}
        or is_freed
        or (changed & {"source", "publisher", "pep"} and not is_refused)
    ):
        end_quarantine(account)
    return bool(changed)


def _forget(account: Account, changed: set[str]) -> None:
    """Drop what was remembered for another wiring."""
    if changed & {"source", *_RULES}:
        # What was chosen by other rules must not be chosen again because nothing new is there.
        account.source_memory = {}
    if "source" in changed:
        account.published_post_id = None
    if "publisher" in changed:
        # What stands on the server is ours still: the new publisher is to look, and replaces it.
        account.pep_memory = {**(account.pep_memory or {}), "asked": UNSETTLED}
    if "jid" in changed:
        account.published_status = account.published_post_id = account.published_at = None
        account.session_memory = account.pep_memory = None


def end_quarantine(account: Account) -> None:
    """Let an account be tried again as if it had never failed; the caller commits."""
    account.edited_at = now()
    if account.health is not Health.OK:
        account.health, account.health_since = Health.OK, account.edited_at
    account.failures, account.due_at = 0, None
