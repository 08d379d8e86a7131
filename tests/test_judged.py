"""What a source remembers under settings that have changed since: it is asked in full, once."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from lastword.eligibility import MAX_AGE, OPT_OUT, Choice, Rules
from lastword.errors import Deferred
from lastword.judged import latest
from lastword.settings import Settings
from lastword.sources.base import Source
from models import Account
from models.types import now

RULES = Rules(now=now())
OTHER = replace(RULES, opt_out="private")


@dataclass
class Remembering(Source):
    """A source that remembers an id, and its choice."""

    judged = frozenset({"choice"})
    error: Exception | None = None
    is_found: bool = True
    asked: Sequence[str] = ()

    @staticmethod
    def check(handle: str) -> str:
        return handle

    async def latest(self, account: Account, rules: Rules) -> Choice:
        self.asked = sorted(account.source_memory)
        if self.error:
            raise self.error
        if self.is_found:
            account.source_memory = {"id": "1", "choice": "2"}
        return rules.choose([])


@pytest.fixture
def account() -> Account:
    return Account(name="a", source="feed:a", jid="a@b.example", source_memory={})


async def test_a_change_drops_what_was_chosen_once(account: Account) -> None:
    source = Remembering()
    for rules, asked in (
        (RULES, []),
        (RULES, ["choice", "id"]),
        (OTHER, ["id"]),
        (OTHER, ["choice", "id", "judged_by"]),
        (replace(OTHER, max_age=timedelta(hours=1)), ["id"]),
        (RULES, ["id"]),
        (RULES, ["choice", "id"]),
    ):
        await latest(source, account, rules)
        assert source.asked == asked
    assert account.source_memory == {"id": "1", "choice": "2"}, "as older versions have it"


async def test_a_failure_changes_nothing_about_that(account: Account) -> None:
    account.source_memory = {"id": "1", "choice": "2"}
    source = Remembering(error=Deferred("later"))
    with pytest.raises(Deferred):
        await latest(source, account, OTHER)
    assert account.source_memory == {"id": "1", "judged_by": "30d #private"}
    source.error = None
    await latest(source, account, OTHER)
    assert source.asked == ["id", "judged_by"]


async def test_who_was_never_found_has_no_memory(account: Account) -> None:
    await latest(Remembering(is_found=False), account, OTHER)
    assert account.source_memory == {}


def test_the_usual_settings_leave_no_mark() -> None:
    settings = Settings()
    assert (settings.max_age, settings.opt_out_tag) == (MAX_AGE, OPT_OUT)
