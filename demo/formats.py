"""How the posts of the demo's people look in Atom, JSON Feed and Mastodon's API."""

import json
import re
from html import escape
from typing import Any
from xml.sax.saxutils import escape as escape_xml
from xml.sax.saxutils import quoteattr

from demo.people import Person, Written

_LINK = re.compile(r"https://(\S{1,22})(\S*)")
_ARTICLE = "<p>There is more to say, and it stands in the article &hellip;</p>"


def as_html(text: str) -> str:
    """Return a post's text as Mastodon writes it: a paragraph, links shortened by CSS classes."""

    def link(match: re.Match[str]) -> str:
        shown, hidden = match.groups()
        return (
            f'<a href="{match[0]}" target="_blank" rel="nofollow noopener" translate="no">'
            f'<span class="invisible">https://</span><span class="ellipsis">{shown}</span>'
            f'<span class="invisible">{hidden}</span></a>'
        )

    return f"<p>{_LINK.sub(link, escape(text))}</p>"


def _public(person: Person) -> list[Written]:
    return [post for post in person.posts if post.is_eligible]


def as_atom(person: Person, base: str) -> bytes:
    """Return a person's posts as an Atom feed (RFC 4287)."""
    posts = _public(person)
    home = f"{base}/atom/{person.name}"
    entries = "".join(
        f"<entry><id>{home}/{post.number}</id>"
        f"<title>{escape_xml(post.text) if post.titled else ''}</title>"
        f"<link href={quoteattr(f'{home}/{post.number}')}/>"
        f"<published>{post.time.isoformat()}</published><updated>{post.time.isoformat()}</updated>"
        f'<content type="html">{escape_xml(_ARTICLE if post.titled else as_html(post.text))}'
        "</content></entry>"
        for post in posts
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?><feed xmlns="http://www.w3.org/2005/Atom">'
        f"<id>{home}</id><title>{person.name}</title><updated>{posts[0].time.isoformat()}</updated>"
        f"<author><name>{person.name}</name></author>{entries}</feed>"
    ).encode()


def as_json_feed(person: Person, base: str) -> bytes:
    """Return a person's posts as a JSON Feed (version 1.1)."""
    home = f"{base}/json/{person.name}"
    items: list[dict[str, str]] = []
    for post in _public(person):
        item = {"id": f"{home}/{post.number}", "url": f"{home}/{post.number}"}
        if post.titled:
            item |= {"title": post.text, "content_html": _ARTICLE}
        elif post.number % 2:
            item |= {"content_text": post.text}
        else:
            item |= {"content_html": as_html(post.text)}
        items.append(item | {"date_published": post.time.isoformat()})
    feed = {"version": "https://jsonfeed.org/version/1.1", "title": person.name, "items": items}
    return json.dumps(feed, ensure_ascii=False).encode()


def as_account(person: Person, number: str, base: str) -> dict[str, Any]:
    """Return a person as Mastodon's Account (https://docs.joinmastodon.org/entities/Account/)."""
    return {
        "id": number,
        "username": person.name,
        "acct": person.name,
        "display_name": person.name.capitalize(),
        "locked": False,
        "bot": False,
        "discoverable": True,
        "group": False,
        "created_at": "2024-01-01T00:00:00.000Z",
        "note": "<p>Made up.</p>",
        "url": f"{base}/@{person.name}",
        "uri": f"{base}/users/{person.name}",
        "followers_count": 3,
        "following_count": 4,
        "statuses_count": len(person.posts),
        "last_status_at": person.posts[0].time.date().isoformat(),
        "emojis": [],
        "fields": [],
    }


def as_status(post: Written, account: dict[str, Any]) -> dict[str, Any]:
    """Return a post as Mastodon's Status (https://docs.joinmastodon.org/entities/Status/)."""
    status: dict[str, Any] = {
        "id": str(post.number),
        "created_at": post.time.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "in_reply_to_id": "1" if post.reply else None,
        "in_reply_to_account_id": account["id"] if post.reply else None,
        "sensitive": bool(post.warning),
        "spoiler_text": post.warning,
        "visibility": post.visibility,
        "language": "en",
        "uri": f"{account['uri']}/statuses/{post.number}",
        "url": f"{account['url']}/{post.number}",
        "replies_count": 0,
        "reblogs_count": 0,
        "favourites_count": 0,
        "edited_at": None,
        "content": "" if post.boost else as_html(post.text),
        "reblog": None,
        "account": account,
        "media_attachments": [],
        "mentions": [],
        "tags": [],
        "emojis": [],
        "card": None,
        "poll": None,
    }
    if post.boost:
        original = {**status, "id": "1", "content": as_html(post.text)}
        return status | {"reblog": original}
    return status
