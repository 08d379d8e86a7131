"""What tests of PEP ask for: a Prosody without a shared status, both publishers, a busy user."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from itertools import count

import pytest

from demo.operated import NAMESPACES
from demo.prosody import Prosody
from lastword.post import Post
from lastword.publishers.base import Confirmation
from lastword.publishers.login import Login
from lastword.publishers.operator import Operator
from lastword.publishers.pubsub import ITEMS, OWNER
from models import Account
from tests.fixtures_operator import PEOPLE, Governed, operating
from tests.fixtures_xmpp import account, login_to, tls_for
from tests.xmpp_device import Device
from tests.xmpp_follower import ACTIVITY, MICROBLOG

PUBSUB = "http://jabber.org/protocol/pubsub"
READING = (*NAMESPACES, ITEMS, OWNER)
TEA = Post("1", "Out for tea", "https://a.example/1?a&b", datetime(2026, 3, 1, 10, tzinfo=UTC))
HOME = Post("2", "Home again", "https://a.example/2", datetime(2026, 3, 1, 11, tzinfo=UTC))
KINDS = ("activity", "microblog", "tune")

Publisher = Login | Operator
_numbers = count()
_guests = count(55)


@pytest.fixture(scope="session")
def pep_server() -> Iterator[Governed]:
    """A Prosody without a shared status whose operator lets us read what microblog needs."""
    with Governed(namespaces=READING, modules=("privilege",)) as server:
        yield server


@pytest.fixture(params=["login", "operator"])
async def publisher(
    pep_server: Governed, request: pytest.FixtureRequest
) -> AsyncIterator[Publisher]:
    async with operating(pep_server) as operator:
        yield operator if request.param == "operator" else login_at(pep_server)


@pytest.fixture
def subscriber() -> str:
    """Return the name of somebody whom no other test knows."""
    return PEOPLE[next(_numbers)]


@pytest.fixture
def guest() -> str:
    """Return the name of somebody on the server that all tests share."""
    return PEOPLE[next(_guests)]


def login_at(server: Prosody) -> Login:
    return login_to(server.address, tls_for(server))


def wanting(name: str, pep: str) -> Account:
    row = account(name)
    row.pep = pep
    return row


async def publish(publisher: Publisher, row: Account, post: Post | None) -> Confirmation:
    """Set the post's text, or clear it, as a run would, and remember it on the row."""
    status = post.text if post else None
    async with publisher.session(row) as session:
        await session.current()
        confirmation = await session.set(status, post)
    row.published_status = status
    return confirmation


async def entries(phone: Device) -> str:
    return await phone.ask(f"<pubsub xmlns='{PUBSUB}'><items node='{MICROBLOG}'/></pubsub>")


async def writes(phone: Device, number: str) -> None:
    """Let the user write an entry; the node is made with what PEP has by default."""
    await phone.ask(
        f"<pubsub xmlns='{PUBSUB}'><publish node='{MICROBLOG}'><item id='{number}'>"
        f"<entry xmlns='http://www.w3.org/2005/Atom'><title>{number}</title></entry>"
        "</item></publish></pubsub>",
        "set",
    )


async def configure(phone: Device, node: str, **options: str) -> None:
    fields = "".join(
        f"<field var='pubsub#{it}'><value>{value}</value></field>" for it, value in options.items()
    )
    await phone.ask(
        f"<pubsub xmlns='{OWNER}'><configure node='{node}'><x xmlns='jabber:x:data' type='submit'>"
        "<field var='FORM_TYPE' type='hidden'>"
        f"<value>{PUBSUB}#node_config</value></field>{fields}</x></configure></pubsub>",
        "set",
    )


async def is_at_lunch(phone: Device) -> None:
    """Let the user say so by an activity."""
    await phone.ask(
        f"<pubsub xmlns='{PUBSUB}'><publish node='{ACTIVITY}'><item id='current'>"
        f"<activity xmlns='{ACTIVITY}'><text>At lunch</text></activity></item></publish>"
        "</pubsub>",
        "set",
    )
