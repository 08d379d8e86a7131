"""A Prosody that lets a component act for its users, and the publisher that does."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from demo.operated import OperatedProsody
from lastword.publishers.operator import Gateway, Operator
from tests.fixtures_xmpp import CONTACT
from tests.xmpp_peer import DOMAIN, PASSWORD

COMPONENT = f"lastword.{DOMAIN}"
PEOPLE = [f"subject{number}" for number in range(60)]


class Governed(OperatedProsody):
    """A Prosody for tests, with people who have one contact in common."""

    def __init__(self, people: Sequence[str] = PEOPLE, **more: Any) -> None:  # noqa: ANN401
        users = dict.fromkeys([*people, CONTACT], PASSWORD)
        super().__init__(DOMAIN, users, {CONTACT: people}, **more)


@asynccontextmanager
async def operating(
    at: Governed,
    deadline: float = 10,
    answer_deadline: float = 10,
    **more: Any,  # noqa: ANN401
) -> AsyncIterator[Operator]:
    operator = Operator(
        {DOMAIN: Gateway.model_validate(at.gateway | more)},
        deadline=deadline,
        answer_deadline=answer_deadline,
    )
    try:
        yield operator
    finally:
        await operator.close()


@pytest.fixture(scope="session")
def governed() -> Iterator[Governed]:
    with Governed() as server:
        yield server


@pytest.fixture
async def operator(governed: Governed) -> AsyncIterator[Operator]:
    async with operating(governed) as operator:
        yield operator
