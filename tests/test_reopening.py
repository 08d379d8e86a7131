"""Which logins are tried where a session cannot be resumed, and which never."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import pytest
from pydantic import SecretStr

from lastword.errors import Deferred, LastWordError, LoginRefused, Transient
from lastword.publishers.client import Client
from lastword.publishers.reopening import reopened
from lastword.publishers.resumption import NotResumed, Saved

SAVED = Saved("alice@chat.example/lastword-1", SecretStr("id"), handled=0, sent=0, seconds=3600)
OLD_NAME = ("resource", "lastword-1")
NEW_NAME = None


class Server:
    """Answers logins, one after the other, with errors or a session."""

    def __init__(self, *answers: LastWordError | None) -> None:
        self.answers = list(answers)
        self.asked: list[object] = []

    @asynccontextmanager
    async def session(
        self, *, saved: Saved | None = None, resource: str | None = None
    ) -> AsyncIterator[Client]:
        self.asked.append(saved or (resource and ("resource", resource)))
        if error := self.answers.pop(0):
            raise error
        yield cast("Client", self)


@pytest.mark.parametrize(
    ("saved", "answers", "asked"),
    [
        (None, [None], [NEW_NAME]),
        (SAVED, [None], [SAVED]),
        (SAVED, [NotResumed(), None], [SAVED, OLD_NAME]),
        (SAVED, [NotResumed(), Transient("conflict"), None], [SAVED, OLD_NAME, NEW_NAME]),
    ],
)
async def test_until_there_is_a_session(
    saved: Saved | None, answers: list[LastWordError | None], asked: list[object]
) -> None:
    server = Server(*answers)
    async with reopened(server.session, saved) as client:
        assert client is cast("Client", server)
    assert server.asked == asked


@pytest.mark.parametrize(
    "answers",
    [
        [LoginRefused("no")],
        [Transient("down")],
        [Deferred("untrusted")],
        [NotResumed(), LoginRefused("no")],
        [NotResumed(), Deferred("untrusted")],
        [NotResumed(), Transient("conflict"), Transient("down")],
    ],
)
async def test_what_ends_it(answers: list[LastWordError]) -> None:
    server = Server(*answers)
    with pytest.raises(type(answers[-1]), match=str(answers[-1])):
        async with reopened(server.session, SAVED):
            pass
    assert len(server.asked) == len(answers)
