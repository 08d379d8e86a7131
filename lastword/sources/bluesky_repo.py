"""An account's repository on its data server (PDS): its posts, or why it gives none.

https://docs.bsky.app/docs/api/com-atproto-repo-list-records
"""

import re
from http import HTTPStatus
from typing import Any

from lastword.eligibility import Choice, Rules
from lastword.errors import Gone, LastWordError, Transient
from lastword.sources.allowance import Allowance
from lastword.sources.bluesky_identity import Identity
from lastword.sources.bluesky_post import COLLECTION, posts_of
from lastword.sources.bluesky_xrpc import host_of, object_of, read_object, xrpc_url
from lastword.sources.http import GuardedClient, Reply
from lastword.sources.items import read_apart

# Of an address, at one server: https://docs.bsky.app/docs/advanced-guides/rate-limits
_ALLOWANCE = Allowance(3_000, 300)
_CURSOR = re.compile(r"[!-~]{1,512}")
_STATES = {
    "RepoDeactivated": "the account is deactivated at {host}: its owner can activate it again",
    "RepoTakendown": "{host} has taken the account down: ask its moderators",
    "RepoSuspended": "{host} has suspended the account: ask its moderators",
    "RepoNotFound": "{host} has no such account any more: it was deleted, or is being moved",
}


async def list_posts(
    http: GuardedClient, identity: Identity, limit: int, *, cursor: str = "", etag: str = ""
) -> Reply:
    """Ask for the newest posts.

    Args:
        http: the guarded client.
        identity: whose.
        limit: how many, 100 at most.
        cursor: where the page before ended.
        etag: of the answer that we have, for a 304 where it is still the same.

    Raises:
        Gone: the account is deactivated, taken down, suspended, or not there.
        Deferred, Rejected, Transient: the server cannot be asked.
    """
    url = xrpc_url(
        identity.pds,
        "com.atproto.repo.listRecords",
        repo=identity.did,
        collection=COLLECTION,
        limit=limit,
        cursor=cursor,
    )
    headers = {"Accept": "application/json"} | ({"If-None-Match": etag} if etag else {})
    reply = await http.get(url, headers, expected={HTTPStatus.BAD_REQUEST}, allowance=_ALLOWANCE)
    if reply.status == HTTPStatus.BAD_REQUEST:
        raise await _why(http, identity, reply)
    return reply


async def choose(reply: Reply, identity: Identity, rules: Rules, limit: int) -> tuple[Choice, str]:
    """Return the choice among the posts of a page, and the cursor to others worth a look, or "".

    Args:
        reply: the page.
        identity: whose.
        rules: the account's.
        limit: how many records were asked for.

    Raises:
        Transient: the answer is no list of records.
    """

    def read(body: bytes, url: str) -> tuple[Choice, str]:
        page = read_object(body, url)
        records = page.get("records")
        if not isinstance(records, list):
            raise ValueError("it has no list of records")  # noqa: TRY004  # about a document
        posts = list(posts_of(records, identity))
        further = len(records) >= limit and rules.may_follow(posts)
        return rules.choose(posts), _cursor_of(page) if further else ""

    try:
        return await read_apart(read, reply.body, reply.url)
    except ValueError as error:
        host = host_of(reply.url)
        raise Transient(f"{host} does not answer as a data server of Bluesky now") from error


def _cursor_of(page: dict[str, Any]) -> str:
    cursor = page.get("cursor")
    return cursor if isinstance(cursor, str) and _CURSOR.fullmatch(cursor) else ""


async def _why(http: GuardedClient, identity: Identity, refused: Reply) -> LastWordError:
    """Return why there is no list: for all reasons alike it says "Could not find repo"."""
    host = host_of(identity.pds)
    reason = await _error_of(refused)
    if reason not in _STATES:
        url = xrpc_url(identity.pds, "com.atproto.sync.getLatestCommit", did=identity.did)
        reply = await http.get(url, expected={HTTPStatus.BAD_REQUEST}, allowance=_ALLOWANCE)
        if reply.status != HTTPStatus.BAD_REQUEST:
            return Transient(f"{host} has the account, but does not list its posts now")
        reason = await _error_of(reply)
    return Gone(_STATES.get(reason, _STATES["RepoNotFound"]).format(host=host))


async def _error_of(reply: Reply) -> str:
    try:
        return str((await object_of(reply)).get("error"))
    except Transient:
        return ""
