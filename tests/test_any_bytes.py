"""Any bytes, or saved ones with a few of them spoilt, give a post, nothing, or an error of ours."""

import json
from collections.abc import Collection, Mapping
from typing import Any, cast
from urllib.parse import urlsplit

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lastword.errors import Defect, LastWordError
from lastword.sources import SOURCES
from lastword.sources.answers import check_status
from lastword.sources.http import GuardedClient, Reply
from models import Account
from tests.fixtures_http import RULES
from tests.test_saved_exchanges import CASES, bytes_of

EXCHANGES = [json.loads(path.read_text("utf-8").replace("HOST", "one.example")) for path in CASES]
HEADERS = ("content-type", "etag", "last-modified", "link")
SPOILT = st.lists(
    st.tuples(st.integers(0, 1_500), st.integers(0, 40), st.binary(max_size=8)), max_size=3
)


class Spoilt:
    """Gives the saved answers, spoilt."""

    def __init__(self, answers: Mapping[str, Any], spoil: Any, headers: Mapping[str, str]) -> None:  # noqa: ANN401
        self._answers = answers
        self._spoil = spoil
        self._headers = headers

    async def get(
        self,
        url: str,
        headers: Mapping[str, str] | None = None,
        *,
        expected: Collection[int] = (),
        **_: object,
    ) -> Reply:
        """Answer as `GuardedClient.get` does."""
        assert all(value.isascii() for value in (headers or {}).values())
        saved = self._answers.get(urlsplit(url).path, {"status": 404, "body": ""})
        status = saved.get("status", 200)
        if status not in expected:
            check_status(httpx.Response(status, request=httpx.Request("GET", url)))
        return Reply(status, self._headers, self._spoilt(bytes_of(saved["body"])), url)

    def _spoilt(self, body: bytes) -> bytes:
        if isinstance(self._spoil, bytes):
            return self._spoil
        for start, length, instead in self._spoil:
            body = body[:start] + instead + body[start + length :]
        return body


@pytest.fixture
def _set_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LASTWORD_X_TOKEN", "token")


@pytest.mark.usefixtures("_set_up")
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    exchange=st.sampled_from(EXCHANGES),
    spoil=SPOILT | SPOILT | st.binary(max_size=200),
    headers=st.dictionaries(st.sampled_from(HEADERS), st.text(max_size=60)),
)
async def test_any_bytes(exchange: dict[str, Any], spoil: object, headers: dict[str, str]) -> None:
    account = Account(name="alice", source=exchange["source"], jid="alice@chat.example")
    http = cast("GuardedClient", Spoilt(exchange["answers"], spoil, headers))
    for _ in range(2):  # with what the first time left behind
        source = SOURCES[account.source.partition(":")[0]](http)
        source.expect([account])
        try:
            choice = await source.latest(account, RULES)
        except LastWordError as error:
            assert not isinstance(error, Defect)  # noqa: PT017
            assert str(error).isprintable()  # noqa: PT017
            continue
        assert choice.post is None or choice.post.text.encode()
        account.source_memory = json.loads(json.dumps(account.source_memory))
