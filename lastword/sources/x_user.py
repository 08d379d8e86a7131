"""Accounts as X's API shows them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from lastword.errors import Gone, LastWordError, Transient
from lastword.post import Post
from lastword.sources.x_post import either, id_of, post_of

Key = Literal["id", "username"]
_OF_USERS = {"id", "ids", "username", "usernames"}


@dataclass(frozen=True, slots=True)
class User:
    """An account.

    Attributes:
        id: never changes.
        name: as it is now, in lower case, without the @.
        is_protected: whether only approved followers see its posts.
        newest_id: of its newest post, also where that is not shown or has no words.
        newest: that post, or None.
    """

    id: str
    name: str
    is_protected: bool
    newest_id: str
    newest: Post | None


def users_of(page: dict[str, Any], key: Key) -> dict[str, User | LastWordError]:
    """Return what a page of accounts says of each that was asked for.

    Args:
        page: of `/2/users` or `/2/users/by`. It may hold accounts and errors side by side.
        key: by what they were asked for; names are in lower case.
    """
    found: dict[str, User | LastWordError] = {}
    for error in _objects(page.get("errors")):
        # Errors about posts are of no concern: the account then has none that is shown.
        if str(error.get("parameter", key)) in _OF_USERS:
            name = error.get("value") or error.get("resource_id")
            found[str(name).lower()] = _meaning(error)
    posts = {id_of(it.get("id")): it for it in _objects(either(_included(page), "posts"))}
    for entity in _objects(page.get("data")):
        user_id, name = id_of(entity.get("id")), str(entity.get("username", "")).lower()
        if user_id is None:
            continue
        newest = id_of(either(entity, "most_recent_post_id")) or ""
        user = User(
            id=user_id,
            name=name,
            is_protected=entity.get("protected") is True,
            newest_id=newest,
            newest=post_of(posts.get(newest), user_id, name),
        )
        found[user_id if key == "id" else name] = user
    return found


def _included(page: dict[str, Any]) -> dict[str, Any]:
    included = page.get("includes")
    return included if isinstance(included, dict) else {}


def _objects(value: object) -> Iterator[dict[str, Any]]:
    for item in value if isinstance(value, list) else ():
        if isinstance(item, dict):
            yield item


def _meaning(error: dict[str, Any]) -> LastWordError:
    """Return what it means for an account that X says this of it."""
    kind = str(error.get("type", "")).rpartition("/")[2]
    if "suspended" in str(error.get("detail", "")).lower():
        return Gone("X has suspended the account: it is looked at again each day")
    if kind == "resource-not-found":
        return Gone("X has no account of that name: check it or remove the account")
    if kind == "not-authorized-for-resource":
        return Gone("X does not show the account to others: it is looked at again each day")
    return Transient("X cannot show the account just now")
