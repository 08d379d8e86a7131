"""Processes that share a server's one component: each is connected in its turn."""

import asyncio
from pathlib import Path

from lastword.publishers.operator import Gateway, Operator
from models import Account, schema
from models.database import Database
from tests.fixtures_operator import PEOPLE, Governed
from tests.xmpp_peer import DOMAIN

EACH = 12


def operator(at: Governed, database: Database | None) -> Operator:
    gateways = {DOMAIN: Gateway.model_validate(at.gateway)}
    return Operator(gateways, deadline=20, answer_deadline=20, shared_by=database)


async def test_two_processes_publish_at_the_same_time(governed: Governed, sqlite_url: str) -> None:
    async with Database.open(sqlite_url, check=False) as database:
        await schema.upgrade(database)
        shares = [operator(governed, database) for _ in range(2)]

        async def publish(share: Operator, name: str) -> str:
            account = Account(name=name, source="x:a", jid=f"{name}@{DOMAIN}")
            async with share.session(account) as session:
                await session.current()
                return (await session.set(f"{name} was here")).carrier

        async with asyncio.timeout(60):
            carriers = await asyncio.gather(
                *(publish(shares[number % 2], PEOPLE[number]) for number in range(2 * EACH))
            )
        for share in shares:
            await share.close()
    assert set(carriers) == {"shared_status"}
    assert len(list(Path(sqlite_url.removeprefix("sqlite:///")).parent.glob("*operator*"))) == 1
