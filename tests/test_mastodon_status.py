"""A status becomes a post: what may be published, how it reads, and whatever a server may send."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.responses import Response

from lastword.eligibility import Choice
from lastword.errors import LastWordError
from lastword.post import Post
from lastword.sources.http import GuardedClient
from lastword.sources.mastodon import Mastodon
from lastword.sources.mastodon_account import profile_of
from lastword.sources.mastodon_status import post_of
from tests.fixtures_fediverse import DATA, Instance
from tests.fixtures_http import RULES, newest

CASES = sorted(path.stem for path in DATA.glob("*.json") if not path.stem.endswith(".post"))


@pytest.mark.parametrize("case", CASES)
async def test_saved_statuses(case: str, instance: Instance, http: GuardedClient) -> None:
    instance.statuses["109"] = json.loads((DATA / f"{case}.json").read_text("utf-8"))
    expected = json.loads((DATA / f"{case}.post.json").read_text("utf-8"))
    post = await newest(Mastodon(http), instance.wired())
    assert (post.to_memory() if post else None) == expected


def public(**more: Any) -> Post | None:  # noqa: ANN401
    status = {"id": "2", "visibility": "public", "content": "x"} | more
    return post_of(status, "109", "https://social.example", logged_in=False)


@pytest.mark.parametrize(
    "extra",
    [
        *({"visibility": "private"}, {"visibility": "direct"}, {"visibility": "limited"}),
        *({"visibility": "mutuals_only"}, {"visibility": None}, {"visibility": {}}),
        *({"in_reply_to_id": "1"}, {"in_reply_to_account_id": "109"}),
        *({"reblog": {"id": "1"}}, {"account": {"id": "110"}}, {"local_only": True}),
        *({"spoiler_text": ["x"]}, {"tags": [{"name": "NoStatus"}], "spoiler_text": "x"}),
    ],
)
def test_never_published(extra: dict[str, object]) -> None:
    assert RULES.choose(filter(None, [public()])).post
    assert not RULES.choose(filter(None, [public(**extra)])).post


def test_without_visibility_only_what_everyone_is_shown_is_public() -> None:
    """With a token servers show us more than they show to everyone."""
    status = {"id": "2", "content": "x"}
    for_all = post_of(status, "109", "", logged_in=False)
    for_us = post_of(status, "109", "", logged_in=True)
    assert for_all
    assert for_us
    assert RULES.fault(for_all) is None
    assert RULES.fault(for_us)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)
FIELDS = {
    "id": st.just("109") | st.integers(),
    "visibility": st.sampled_from(["public", "unlisted", "private"]),
    "created_at": st.datetimes().map(str),
    **dict.fromkeys(("content", "spoiler_text", "url", "uri", "tags", "reblog"), JSON),
    **dict.fromkeys(("in_reply_to_id", "media_attachments", "sensitive"), JSON),
    **dict.fromkeys(("acct", "username", "statuses_count", "last_status_at"), JSON),
    "suspended": JSON | st.just(value=False),
    "account": JSON | st.fixed_dictionaries({"id": st.just("109") | JSON}),
}
MOVED = JSON | st.fixed_dictionaries({}, optional={"url": st.text() | JSON, "acct": st.text()})
ENTITY = st.fixed_dictionaries(
    {}, optional={name: JSON | value for name, value in FIELDS.items()} | {"moved": MOVED}
)


@given(ENTITY)
def test_any_status(status: dict[str, Any]) -> None:
    status = json.loads(json.dumps(status))
    post = post_of(status, "109", "https://social.example", logged_in=False)
    if post and RULES.fault(post) is None:
        assert post.text
        assert Post.from_memory(json.loads(json.dumps(post.to_memory()))) == post
        assert (post.id + post.text + (post.url or "")).encode()


@given(ENTITY | JSON)
def test_any_account(account: Any) -> None:  # noqa: ANN401
    profile = profile_of(json.loads(json.dumps(account)), "https://social.example")
    if profile and profile.activity:
        assert profile.activity.isascii()
    if profile and profile.moved:
        assert Mastodon.check(profile.moved.handle) == profile.moved.handle


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(answers=st.lists(JSON | ENTITY | st.lists(ENTITY, max_size=3), min_size=1, max_size=3))
async def test_any_answer_gives_a_choice_or_an_error_of_ours(
    answers: list[Any], instance: Instance, http: GuardedClient
) -> None:
    mastodon, account = Mastodon(http), instance.wired()
    for answer in [*answers, answers[0]]:
        instance.instead = Response(json.dumps(answer), media_type="application/json")
        try:
            assert isinstance(await mastodon.latest(account, RULES), Choice)
        except LastWordError as error:
            assert str(error)  # noqa: PT017
        json.dumps(account.source_memory)
