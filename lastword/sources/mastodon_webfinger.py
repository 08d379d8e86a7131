"""Where an account lives whose address names another host than its server (RFC 7033).

https://docs.joinmastodon.org/spec/webfinger/
"""

import json

from lastword.errors import Gone, Rejected
from lastword.sources.http import GuardedClient
from lastword.sources.items import read_apart
from lastword.sources.mastodon_address import Place, place_of

_RELATIONS = ("http://webfinger.net/rel/profile-page", "self")


async def home_of(http: GuardedClient, place: Place) -> Place | None:
    """Return where the account's host says that it lives, if not on that host.

    Raises:
        LastWordError: Transient or Deferred, as the host answers.
    """
    url = f"{place.base}/.well-known/webfinger?resource=acct:{place.user}@{place.server}"
    try:
        reply = await http.get(url, {"Accept": "application/jrd+json, application/json"})
        homes = await read_apart(_homes, reply.body, place.user)
    except (Gone, Rejected, ValueError):
        return None
    return next((home for home in homes if home.base != place.base), None)


def _homes(body: bytes, user: str) -> list[Place]:
    try:
        answer = json.loads(body)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    links = answer.get("links") if isinstance(answer, dict) else None
    found = [link for link in links if isinstance(link, dict)] if isinstance(links, list) else []
    pages = [link.get("href") for rel in _RELATIONS for link in found if link.get("rel") == rel]
    return [Place(base, user) for page in pages if (base := _base_of(page))]


def _base_of(page: object) -> str | None:
    try:
        return place_of(page).base if isinstance(page, str) else None
    except ValueError:
        return None
