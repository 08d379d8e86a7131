"""The microblog: a proper entry among what the user writes there, none of which is lost."""

from xml.etree.ElementTree import fromstring

import pytest

from lastword.errors import Deferred, Rejected
from lastword.post import Post
from tests.fixtures_operator import Governed, operating
from tests.fixtures_pep import HOME, TEA, Publisher, configure, entries, publish, wanting, writes
from tests.xmpp_device import Device
from tests.xmpp_follower import MICROBLOG, Follower
from tests.xmpp_peer import DOMAIN

pytestmark = pytest.mark.xdist_group("pep")


async def test_entry_is_proper_atom(
    pep_server: Governed, publisher: Publisher, subscriber: str
) -> None:
    row = wanting(subscriber, "microblog")
    atom = "{http://www.w3.org/2005/Atom}"

    async def entry() -> dict[str, str | None]:
        async with Device(pep_server, subscriber) as phone:
            found = list(fromstring(await entries(phone)).iter(f"{atom}entry"))  # noqa: S314
        assert len(found) == 1
        link = found[0].find(f"{atom}link")
        values = {
            it: found[0].findtext(f"{atom}{it}")
            for it in ("title", "id", "published", "updated", "content")
        }
        values |= {"uri": found[0].findtext(f"{atom}author/{atom}uri")}
        return values | {"link": None if link is None else link.get("href")}

    await publish(publisher, row, TEA)
    first = await entry()
    assert first == {
        "title": TEA.text,
        "id": first["id"],
        "published": "2026-03-01T10:00:00+00:00",
        "updated": "2026-03-01T10:00:00+00:00",
        "content": None,
        "uri": f"xmpp:{subscriber}@{DOMAIN}",
        "link": TEA.url,
    }
    assert (first["id"] or "").startswith("urn:uuid:")
    await publish(publisher, row, Post("1", "Out for coffee", TEA.url, TEA.time))
    edited = await entry()
    assert (edited["id"], edited["title"]) == (first["id"], "Out for coffee")
    assert edited["published"] == first["published"]
    assert (edited["updated"] or "") > (first["updated"] or "")
    await publish(publisher, row, Post("3", "No address"))
    assert (await entry())["content"] == "No address"


async def test_what_the_user_writes_is_kept(
    pep_server: Governed, publisher: Publisher, subscriber: str
) -> None:
    row = wanting(subscriber, "microblog")
    await publish(publisher, row, TEA)
    async with Device(pep_server, subscriber) as phone:
        for number in ("mine-1", "mine-2"):
            await writes(phone, number)
        await publish(publisher, row, HOME)
        kept = await entries(phone)
        assert all(text in kept for text in ("mine-1", "mine-2", HOME.text))
        assert TEA.text not in kept
        await configure(phone, MICROBLOG, max_items="3")
        await publish(publisher, row, TEA)
        kept = await entries(phone)
        assert all(text in kept for text in ("mine-1", "mine-2", TEA.text))
        await publish(publisher, row, None)
        kept = await entries(phone)
        assert "mine-2" in kept
        assert "lastword-" not in kept


async def test_what_would_push_out_the_users_own_is_refused(
    pep_server: Governed, publisher: Publisher, subscriber: str
) -> None:
    row = wanting(subscriber, "activity,microblog")
    async with Device(pep_server, subscriber) as phone, Follower(pep_server) as follower:
        await writes(phone, "mine-1")
        await follower.told_of(subscriber)
        with pytest.raises(Rejected, match="has room for 1 in all, and 1 of the user's own in it"):
            await publish(publisher, row, TEA)
        assert await follower.told_of(subscriber) == [], "nothing by halves"
        assert "mine-1" in await entries(phone)
        await configure(phone, MICROBLOG, max_items="2")
        await publish(publisher, row, TEA)
        await publish(publisher, row, HOME)
        kept = await entries(phone)
        assert "mine-1" in kept
        assert HOME.text in kept


async def test_operator_who_does_not_let_us_look(governed: Governed, guest: str) -> None:
    """The module is there, and microblog is wanted beside it."""
    row = wanting(guest, "microblog")
    async with operating(governed) as operator:
        with pytest.raises(Deferred, match=r'need \["http://jabber.org/protocol/disco#items"\]'):
            await publish(operator, row, TEA)
