"""Addresses whose host is not the server: it tells where the account lives."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastword.errors import Gone
from lastword.sources.mastodon import Mastodon
from lastword.sources.mastodon_webfinger import _homes
from models import Account
from tests.fixtures_fediverse import DATA, Ask, Instance, Start
from tests.fixtures_http import RULES, newest

TOMORROW = replace(RULES, now=RULES.now + timedelta(days=1, minutes=1))
WEBFINGER = "/.well-known/webfinger"


class Domain:
    """A host without the API, in whose name the people of a server have their addresses."""

    def __init__(self, host: Instance, server: Instance, mastodon: Mastodon) -> None:
        self.host, self.server, self.mastodon = host, server, mastodon
        host.accounts.clear()
        self.links(("self", f"https://{server.address}/users/alice"))

    def links(self, *links: tuple[str, object]) -> None:
        answer = {"links": [{"rel": rel, "href": href} for rel, href in links]}
        self.host.feeds[WEBFINGER] = json.dumps(answer)


@pytest.fixture
async def domain(start_instance: Start, asking: Ask) -> AsyncIterator[Domain]:
    host, server = await start_instance(), await start_instance()
    async with asking(host, server) as http:
        yield Domain(host, server, Mastodon(http))


@pytest.fixture
def account(domain: Domain) -> Account:
    return domain.host.wired()


async def test_found_once(domain: Domain, account: Account) -> None:
    assert await newest(domain.mastodon, account)
    assert domain.host.asked == ["lookup alice", "alice", WEBFINGER]
    assert await newest(domain.mastodon, account)
    assert await newest(domain.mastodon, account, TOMORROW)
    assert len(domain.host.asked) == 3
    looks = ["109/statuses"]
    assert domain.server.asked == ["lookup alice", *looks, *looks, "lookup alice", *looks]


async def test_profile_page_names_the_server(domain: Domain, account: Account) -> None:
    page = ("http://webfinger.net/rel/profile-page", f"https://{domain.server.address}/@alice")
    domain.links(("self", "https://ap.example/users/5"), page, ("self", 7))
    assert await newest(domain.mastodon, account)


async def test_server_that_demands_a_token(domain: Domain, account: Account) -> None:
    domain.server.token = "secret"
    domain.server.feeds["/@alice.rss"] = (DATA / "mastodon.rss").read_text("utf-8")
    assert await newest(domain.mastodon, account)
    assert domain.server.asked == ["lookup alice", "/@alice.rss"]


async def test_host_that_turns_programs_away(domain: Domain, account: Account) -> None:
    domain.host.token = "secret"
    assert await newest(domain.mastodon, account)
    assert domain.host.asked == ["lookup alice", WEBFINGER]
    assert await newest(domain.mastodon, account, TOMORROW)
    assert domain.server.asked[-2:] == ["lookup alice", "109/statuses"]


async def test_server_that_demands_a_token_and_names_itself(
    domain: Domain, account: Account
) -> None:
    domain.host.token = "secret"
    domain.host.feeds["/@alice.rss"] = (DATA / "mastodon.rss").read_text("utf-8")
    for links in ([], [("self", f"https://{domain.host.address}/users/alice")]):
        account.source_memory = {}
        domain.host.asked.clear()
        domain.links(*links)
        assert await newest(domain.mastodon, account)
        assert domain.host.asked == ["lookup alice", WEBFINGER, "/@alice.rss"]
    await newest(domain.mastodon, account, TOMORROW)
    assert domain.host.asked.count(WEBFINGER) == 1


@pytest.mark.parametrize(
    "answer",
    [
        *("", "[]", "{}", '{"links": 5}', '{"links": [5, {"rel": "self"}]}', "[" * 50_000),
        '{"links": [{"rel": "self", "href": "https://[::1/@alice"}]}',
    ],
)
async def test_nothing_is_told(answer: str, domain: Domain, account: Account) -> None:
    domain.host.feeds[WEBFINGER] = answer
    with pytest.raises(Gone, match=f"{domain.host.address} answers 404 Not Found"):
        await newest(domain.mastodon, account)
    assert account.source_memory == {}


async def test_host_that_names_itself(domain: Domain, account: Account) -> None:
    domain.links(("self", f"https://{domain.host.address}/users/alice"))
    with pytest.raises(Gone):
        await newest(domain.mastodon, account)


ANY = st.none() | st.integers() | st.text() | st.lists(st.text())
LINK = st.fixed_dictionaries(
    {}, optional={"rel": ANY | st.just("self"), "href": ANY | st.from_regex(r"https?://.*/@a.*")}
)


@given(ANY | st.fixed_dictionaries({"links": ANY | st.lists(LINK | ANY)}))
def test_any_answer(answer: object) -> None:
    for home in _homes(json.dumps(answer).encode(), "alice"):
        assert Mastodon.check(home.handle) == home.handle
