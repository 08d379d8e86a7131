"""Accounts: added, changed and removed, with all that follows for health and memory."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretBytes, SecretStr
from sqlmodel import select

from lastword import accounts
from lastword.errors import Rejected
from lastword.secrets import Keyring
from lastword.usage import UsageError
from lastword.wiring import Wiring, checked
from models import Account, Health, LedgerEntry, OutcomeKind, Run
from models.account import UNSETTLED
from models.database import Database
from models.types import now

ALICE = Wiring(name="alice", source="feed:https://blog.example/feed", jid="alice@chat.example")
OTHER_FEED = "feed:https://other.example/feed"
SESAME = SecretStr("sesame")


@pytest.fixture
def keyring() -> Keyring:
    return Keyring(SecretBytes(bytes(32)))


@pytest.fixture
async def troubled(database: Database, keyring: Keyring) -> Account:
    """An account with a password and memories, that waits for its owner."""
    account = await accounts.add(database, ALICE, password=SESAME, keyring=keyring)
    async with database.session() as session, session.begin():
        session.add(account)
        account.health, account.failures = Health.NEEDS_OWNER, 3
        account.health_since = account.edited_at = now() - timedelta(days=1)
        account.due_at = now() + timedelta(days=1)
        account.source_memory = {"etag": "x"}
        account.session_memory = "resumable"
        account.published_status, account.published_post_id = "hello", "1"
        account.published_at = now()
    return account


def _is_quarantined(account: Account) -> bool:
    return account.health is Health.NEEDS_OWNER


async def test_added_as_given_and_found_again(database: Database, keyring: Keyring) -> None:
    await accounts.add(database, ALICE, password=SESAME, keyring=keyring)
    account = await accounts.find(database, "alice")
    assert Wiring.of(account) == ALICE
    assert keyring.open_password(account) == SecretStr("sesame")
    assert account.health is Health.OK
    assert account.due_at is None, "due at once"


async def test_the_password_is_not_kept_in_the_clear(database: Database, keyring: Keyring) -> None:
    account = await accounts.add(database, ALICE, password=SESAME, keyring=keyring)
    assert "sesame" not in repr(account.model_dump())


async def test_a_taken_name_is_told(database: Database) -> None:
    await accounts.check_free(database, "alice")
    await accounts.add(database, ALICE)
    for attempt in (accounts.check_free(database, "alice"), accounts.add(database, ALICE)):
        with pytest.raises(UsageError, match="there is an account 'alice' already"):
            await attempt
    assert len(await accounts.list_accounts(database)) == 1


async def test_an_unknown_name_is_told_with_one_spelt_alike(database: Database) -> None:
    await accounts.add(database, ALICE)
    with pytest.raises(UsageError, match=r"no account 'alcie': did you mean 'alice'\?"):
        await accounts.find(database, "alcie")
    with pytest.raises(UsageError, match="no account 'zoe': see `lastword accounts list`"):
        await accounts.find(database, "zoe")


async def test_names_are_one_in_all_their_unicode_forms(database: Database) -> None:
    await accounts.add(database, replace(ALICE, name=checked("name", "rene\u0301")))
    assert await accounts.find(database, "ren\u00e9")
    assert await accounts.find(database, "rene\u0301")


async def test_listed_by_name_and_by_health(database: Database, troubled: Account) -> None:
    del troubled
    await accounts.add(database, replace(ALICE, name="aaron"))
    assert [account.name for account in await accounts.list_accounts(database)] == [
        "aaron",
        "alice",
    ]
    needy = await accounts.list_accounts(database, Health.NEEDS_OWNER)
    assert [account.name for account in needy] == ["alice"]


@pytest.mark.parametrize(
    "changes",
    [
        {"source": OTHER_FEED},
        {"jid": "al@chat.example"},
        {"publisher": "hold"},
        {"pep": "activity"},
        {},
    ],
    ids=str,
)
async def test_changed_wiring_ends_the_quarantine(
    database: Database, troubled: Account, keyring: Keyring, changes: dict[str, Any]
) -> None:
    password = None if changes else SecretStr("other")
    account = await accounts.edit(database, "alice", changes, password=password, keyring=keyring)
    assert account.health is Health.OK
    assert (account.failures, account.due_at) == (0, None)
    assert account.health_since > troubled.health_since
    assert account.edited_at > troubled.edited_at, "a run under way must not judge the new wiring"


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"name": "alicia"},
        {"template": "{url}"},
        {"source": ALICE.source, "jid": ALICE.jid},
        {"active": False},
    ],
    ids=str,
)
async def test_nothing_else_ends_the_quarantine(
    database: Database, troubled: Account, changes: dict[str, Any]
) -> None:
    account = await accounts.edit(database, "alice", changes)
    assert account.health is Health.NEEDS_OWNER
    assert account.failures == 3
    assert account.edited_at == troubled.edited_at


async def test_another_source_forgets_the_old_ones_memory(
    database: Database, troubled: Account
) -> None:
    account = await accounts.edit(database, "alice", {"source": OTHER_FEED})
    assert account.source_memory == {}
    assert account.published_post_id is None
    assert account.published_status == "hello", "which the server shows until it is replaced"
    assert account.secret == troubled.secret
    assert account.session_memory == "resumable"


async def test_another_user_of_the_server_forgets_session_and_status(
    database: Database, troubled: Account
) -> None:
    account = await accounts.edit(database, "alice", {"jid": "al@chat.example"})
    assert account.session_memory is account.published_status is None
    assert account.source_memory == {"etag": "x"}
    assert account.secret == troubled.secret


async def test_what_pep_holds_is_remembered_for_the_same_user(
    database: Database, troubled: Account
) -> None:
    held = {"asked": "", "held": {"activity": "presence"}}
    async with database.session() as session, session.begin():
        (await session.get_one(Account, troubled.id)).pep_memory = held
    account = await accounts.edit(database, "alice", {"pep": "none", "publisher": "operator"})
    assert account.pep_memory == {**held, "asked": UNSETTLED}, "it is to be taken back yet"
    assert account.published_status == "hello"
    assert account.session_memory == "resumable"
    account = await accounts.edit(database, "alice", {"jid": "al@chat.example"})
    assert account.pep_memory is None


async def test_another_server_asks_for_its_password(database: Database, troubled: Account) -> None:
    with pytest.raises(UsageError, match=r"is for chat\.example: give the one for new\.example"):
        await accounts.edit(database, "alice", {"jid": "alice@new.example"})
    account = await accounts.find(database, "alice")
    assert (account.jid, account.secret) == (ALICE.jid, troubled.secret)


async def test_another_servers_password_is_sealed_for_it(
    database: Database, troubled: Account, keyring: Keyring
) -> None:
    account = await accounts.edit(
        database,
        "alice",
        {"jid": "alice@new.example"},
        password=SecretStr("new"),
        keyring=keyring,
    )
    assert keyring.open_password(account) == SecretStr("new")
    account.secret = troubled.secret
    with pytest.raises(Rejected):
        keyring.open_password(account)


async def test_a_publisher_without_password_drops_it_with_the_server(
    database: Database, troubled: Account
) -> None:
    del troubled
    changes = {"jid": "alice@new.example", "publisher": "operator"}
    account = await accounts.edit(database, "alice", changes)
    assert account.secret is None


async def test_renamed_with_its_password(
    database: Database, troubled: Account, keyring: Keyring
) -> None:
    del troubled
    account = await accounts.edit(database, "alice", {"name": "alicia"})
    assert keyring.open_password(account) == SecretStr("sesame")
    await accounts.check_free(database, "alice")


async def test_renaming_to_a_taken_name_is_told(database: Database) -> None:
    await accounts.add(database, ALICE)
    await accounts.add(database, replace(ALICE, name="bob"))
    with pytest.raises(UsageError, match="there is an account 'alice' already"):
        await accounts.edit(database, "bob", {"name": "alice"})
    await accounts.find(database, "bob")


async def test_pause_leaves_the_quarantine_alone_and_resume_ends_it(
    database: Database, troubled: Account
) -> None:
    del troubled
    paused = await accounts.pause(database, "alice")
    assert not paused.active
    assert _is_quarantined(paused)
    account = await accounts.resume(database, "alice")
    assert account.active
    assert not _is_quarantined(account)


async def test_a_refused_login_stays_refused_until_the_password_changes(
    database: Database, troubled: Account, keyring: Keyring
) -> None:
    async with database.session() as session, session.begin():
        session.add(troubled)
        troubled.last_error = "LoginRefused"
    assert _is_quarantined(await accounts.resume(database, "alice"))
    edited = await accounts.edit(database, "alice", {"source": "feed:https://other.example/"})
    assert _is_quarantined(edited)
    password = SecretStr("another")
    edited = await accounts.edit(database, "alice", {}, password=password, keyring=keyring)
    assert not _is_quarantined(edited)


async def test_a_refused_password_is_not_tried_by_another_publisher(
    database: Database, troubled: Account
) -> None:
    async with database.session() as session, session.begin():
        session.add(troubled)
        troubled.last_error = "LoginRefused"
    assert _is_quarantined(await accounts.edit(database, "alice", {"publisher": "hold"}))
    freed = await accounts.edit(database, "alice", {"publisher": "operator"})
    assert not _is_quarantined(freed)
    assert freed.secret is None, "so that it is not tried on the way back either"


async def test_removed_with_its_history(database: Database, troubled: Account) -> None:
    async with database.session() as session, session.begin():
        session.add(run := Run(which="due"))
        await session.flush()
        assert run.id
        assert troubled.id
        session.add(LedgerEntry(run_id=run.id, account_id=troubled.id, kind=OutcomeKind.FAILED))
    await accounts.remove(database, "alice")
    async with database.session() as session:
        assert (await session.exec(select(Account))).all() == []
        assert (await session.exec(select(LedgerEntry))).all() == []
        assert len((await session.exec(select(Run))).all()) == 1
