"""XRPC, as atproto's servers call their HTTP API.

https://atproto.com/specs/xrpc
"""

import json
from typing import Any
from urllib.parse import urlencode

from lastword.errors import Transient
from lastword.sources.hosts import parse_url, place
from lastword.sources.http import Reply
from lastword.sources.items import read_apart


def xrpc_url(server: str, method: str, **parameters: object) -> str:
    """Return the URL of a query.

    Args:
        server: its origin, without a slash.
        method: its name (an NSID).
        parameters: left out where they are empty.
    """
    given = {name: value for name, value in parameters.items() if value}
    return f"{server}/xrpc/{method}?{urlencode(given)}"


async def object_of(reply: Reply) -> dict[str, Any]:
    """Return the JSON object that a server answers.

    Raises:
        Transient: it answers something else.
    """
    try:
        return await read_apart(read_object, reply.body, reply.url)
    except ValueError as error:
        raise Transient(
            f"{host_of(reply.url)} does not answer in the way of Bluesky now"
        ) from error


def read_object(body: bytes, _: str) -> dict[str, Any]:
    """Return the JSON object that a body is.

    Raises:
        ValueError: it is none.
    """
    try:
        found = json.loads(body)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(found, dict):
        raise ValueError("it is no object")  # noqa: TRY004  # about a document, not a type
    return found


def host_of(url: str) -> str:
    """Return what messages call a URL: its host."""
    return place(parse_url(url))
