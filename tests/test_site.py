"""The demo's site: what its people write is what the sources find."""

import asyncio
import ssl
from collections.abc import Callable

import pytest

from demo.people import KINDS, people
from demo.site import Site
from lastword.address import SourceAddress
from lastword.errors import Gone, LastWordError, Transient
from lastword.sources import build_sources
from lastword.status import clean
from models import Account
from tests.fixtures_http import Client, newest


def test_people_are_always_the_same_and_unique() -> None:
    crowd = people(800)
    assert crowd == people(800)
    assert crowd[:25] == people(25)
    assert len({person.name for person in crowd}) == 800
    assert {person.kind for person in crowd[:3]} == set(KINDS)
    texts = [person.expected for person in crowd if person.expected]
    assert [clean(text) for text in texts] == texts  # each becomes a status as it is
    assert len({post.number for person in crowd for post in person.posts}) == sum(
        len(person.posts) for person in crowd
    )


def test_three_are_broken() -> None:
    assert not any(person.broken for person in people(3))
    for count in (4, 800):
        broken = [person for person in people(count) if person.broken]
        assert [person.ailment for person in broken] == [
            "the feed was deleted",
            "the password is not theirs",
            "the host never answers",
        ]


def test_something_newer_must_not_be_published() -> None:
    crowd = people(100)
    first = [person.posts[0] for person in crowd]
    assert any(post.reply for post in first)
    assert any(post.boost for post in first)
    assert any(post.visibility == "private" for post in first)
    assert any(person.expected == "Spoilers for last night's episode" for person in crowd)


@pytest.mark.parametrize("secure", [False, True])
async def test_sources_find_what_people_wrote(
    client: Client, tls_for: Callable[[str], ssl.SSLContext], *, secure: bool
) -> None:
    crowd = people(60)
    tls = tls_for("localhost") if secure else None
    async with Site(crowd, tls) as site, client(allow_hosts=site.allow_hosts) as http:
        sources = build_sources(http)
        accounts = {}
        for person in crowd:
            source = str(SourceAddress.parse(site.source_address(person)))
            assert source == site.source_address(person)
            accounts[person.name] = Account(name=person.name, source=source, jid="a@b.example")

        async def text(name: str) -> str | None:
            account = accounts[name]
            post = await newest(sources[account.source.partition(":")[0]], account)
            return post.text if post else None

        well = [person for person in crowd if not person.gone and not person.silent]
        found = await asyncio.gather(*(text(person.name) for person in well))
        assert found == [person.expected for person in well] == [site.newest(p.name) for p in well]

        for person in crowd[0], crowd[4], crowd[5]:
            site.change_post(person.name, "Something <new> & 'nice'")
            assert await text(person.name) == "Something <new> & 'nice'" == site.newest(person.name)
        assert await text(well[-1].name) == well[-1].expected

        with pytest.raises(Gone, match="answers 410 Gone"):
            await text(crowd[1].name)


async def test_silent_host(client: Client) -> None:
    crowd = people(4)
    async with Site(crowd) as site, client(allow_hosts=site.allow_hosts, http_deadline=0.2) as http:
        sources = build_sources(http)
        account = Account(name="x", source=site.source_address(crowd[3]), jid="a@b.example")
        with pytest.raises(Transient) as caught:
            await newest(sources["feed"], account)
        assert crowd[3].symptom in str(caught.value)
        assert site.newest(crowd[3].name) is None


async def test_feeds_answer_conditional_requests(client: Client) -> None:
    crowd = people(3)
    async with Site(crowd) as site, client(allow_hosts=site.allow_hosts) as http:
        for person in crowd[:2]:
            url = site.source_address(person).removeprefix("feed:")
            first = await http.get(url)
            condition = {"If-None-Match": first.headers["etag"]}
            assert (await http.get(url, condition)).status == 304
            site.change_post(person.name, "new")
            assert (await http.get(url, condition)).status == 200


async def test_latency(client: Client) -> None:
    crowd = people(1)
    async with (
        Site(crowd, latency=60) as site,
        client(allow_hosts=site.allow_hosts, http_deadline=0.2) as http,
    ):
        with pytest.raises(LastWordError, match="did not answer within"):
            await http.get(site.source_address(crowd[0]).removeprefix("feed:"))
