"""Payloads: what a hostile account's servers answer, made by hypothesis from a seed."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from bench.payloads_corpus import CHARSETS, DOCUMENTS, NUMBERS, TEXTS, TIMES

KINDS = ("feed", "mastodon", "bluesky", "x")
PEP = ("", "", "", "activity", "microblog", "tune", "activity,microblog,tune")
TEMPLATES = ("{text}", "{text} {url}", "{source}: {text}", "{url}", "“{text}”")
_LONG = 2_000
_AT_ONCE = 40
_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"


@dataclass(frozen=True, slots=True)
class Payload:
    """One account's hostile world.

    Attributes:
        number: of the account, in what its servers call it.
        kind: of source.
        identity: what is answered to who asks whose posts they are: a profile, a document.
        posts: what is answered to who asks for posts.
        headers: further headers of both, names and values as bytes.
        text: a status is made of it where the source gives no post.
        wiring: template, length, and the like, of the account.
    """

    number: int
    kind: str
    identity: bytes
    posts: bytes
    headers: Sequence[tuple[str, bytes]]
    text: str
    wiring: dict[str, Any] = field(default_factory=dict)

    @property
    def did(self) -> str:
        """What Bluesky calls the account."""
        letters, rest = "", self.number
        for _ in range(24):
            rest, place = divmod(rest, len(_ALPHABET))
            letters = _ALPHABET[place] + letters
        return f"did:plc:{letters}"


def payloads(number: int, seed_: int) -> list[Payload]:
    """Return so many payloads, the same for the same seed."""
    made: list[Payload] = []
    known: set[tuple[bytes, bytes, str]] = set()
    round_ = 0
    while len(made) < number:

        @seed(seed_ * 1_000 + round_)
        @settings(
            # From the same seed many are much alike.
            max_examples=_AT_ONCE,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(_payload)
        def collect(fields: dict[str, Any]) -> None:
            key = (fields["identity"], fields["posts"], fields["text"])
            if len(made) < number and key not in known:
                known.add(key)
                made.append(Payload(number=len(made), **fields))

        collect()
        round_ += 1
    return made


_awkward = st.sampled_from(sorted({one for text in TEXTS for one in text[:40]}))
_text = (
    st.sampled_from(TEXTS)
    | st.text(st.characters(exclude_categories=()) | _awkward, max_size=120)
    | st.lists(st.sampled_from(TEXTS).map(lambda it: it[:_LONG]), max_size=5).map("".join)
)
_short = _text.map(lambda text: text[:_LONG])
_scalar = _short | st.sampled_from(NUMBERS) | st.sampled_from(TIMES)
_value = st.recursive(
    _scalar,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(_short.map(lambda it: it[:20]), inner, max_size=3)
    ),
    max_leaves=6,
)


def _mostly(good: st.SearchStrategy[Any], bad: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.sampled_from((good, good, good, good, good, good, good, bad)).flatmap(lambda it: it)


def _either(good: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Mostly what belongs there, else anything."""
    return _mostly(good, _value)


_time = _mostly(st.just(TIMES[0]), st.sampled_from(TIMES))


def _some(good: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return _either(st.lists(good, min_size=1, max_size=3))


def _json(value: st.SearchStrategy[Any]) -> st.SearchStrategy[bytes]:
    """JSON as several writers write it, of which some are wrong."""
    escaped = value.map(lambda it: json.dumps(it).encode())
    raw = value.map(lambda it: json.dumps(it, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    return escaped | raw


def _tag(name: str) -> st.SearchStrategy[str]:
    """An element with a text in it: escaped, as it is, or in CDATA."""
    forms = (
        lambda text: text.replace("&", "&amp;").replace("<", "&lt;"),
        str,
        lambda text: f"<![CDATA[{text}]]>",
    )
    return st.tuples(st.sampled_from(forms), _text).map(
        lambda it: f"<{name}>{it[0](it[1])}</{name}>"
    )


def _xml(parts: tuple[str, str, str, str, str, bool]) -> bytes:
    charset, title, body, key, time, is_atom = parts
    declared = f'<?xml version="1.0" encoding="{charset}"?>' if charset else ""
    if is_atom:
        updated = f"<updated>{time}</updated>"
        text = (
            f'{declared}<feed xmlns="http://www.w3.org/2005/Atom">'
            f"<entry>{key}{title}{body}{updated}</entry></feed>"
        )
    else:
        item = f"<item>{key}{title}{body}<pubDate>{time}</pubDate></item>"
        text = f'{declared}<rss version="2.0"><channel>{item}</channel></rss>'
    return text.encode("utf-8", "surrogatepass")


_feed_xml = st.tuples(
    _mostly(st.just("utf-8"), st.sampled_from(CHARSETS)),
    _tag("title"),
    _tag("description") | _tag("content") | _tag("summary"),
    _tag("guid") | _tag("id"),
    _time,
    st.booleans(),
).map(_xml)
_feed_json = _json(
    _either(
        st.fixed_dictionaries(
            {
                "items": _either(
                    st.lists(
                        st.fixed_dictionaries(
                            {"id": _either(_short), "content_text": _either(_text)},
                            optional={
                                "content_html": _either(_text),
                                "title": _either(_short),
                                "url": _either(_short),
                                "date_published": _either(_time),
                            },
                        ),
                        min_size=1,
                        max_size=3,
                    )
                )
            }
        )
    )
)
_spoil = st.lists(
    st.tuples(st.integers(0, 400), st.integers(0, 40), st.binary(max_size=8)), max_size=2
)


def _spoilt(body: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """Now and then with a few bytes that are others."""

    def spoil(it: tuple[bytes, list[tuple[int, int, bytes]]]) -> bytes:
        text = it[0]
        for start, length, instead in it[1]:
            text = text[:start] + instead + text[start + length :]
        return text

    return _mostly(body, st.tuples(body, _spoil).map(spoil))


_anything = st.sampled_from(DOCUMENTS) | st.binary(max_size=300)
_status = st.fixed_dictionaries(
    {
        "id": _either(st.just("1")),
        "created_at": _either(_time),
        "visibility": _either(st.just("public")),
        "content": _either(_text.map(lambda text: f"<p>{text}</p>")),
    },
    optional={
        "spoiler_text": _either(_short),
        "url": _either(_short),
        "tags": _either(st.lists(st.fixed_dictionaries({"name": _short}), max_size=3)),
        "reblog": _either(st.none()),
        "in_reply_to_id": _either(st.none()),
        "media_attachments": _value,
        "account": _value,
    },
)
_record = st.fixed_dictionaries(
    {
        "uri": _either(st.just("at://DID/app.bsky.feed.post/3lqkvhr2v2s2a")),
        "value": _either(
            st.fixed_dictionaries(
                {
                    "$type": _either(st.just("app.bsky.feed.post")),
                    "text": _either(_text),
                    "createdAt": _either(_time),
                },
                optional={
                    "facets": _value,
                    "labels": _value,
                    "reply": _either(st.none()),
                    "embed": _value,
                },
            )
        ),
    },
    optional={"cid": _value},
)
_tweet = st.fixed_dictionaries(
    {
        "id": _either(st.just("1859000000000000005")),
        "text": _either(_text),
        "created_at": _either(_time),
        "author_id": _either(st.just("USER")),
    },
    optional={
        "note_tweet": _value,
        "entities": _value,
        "referenced_tweets": _either(st.none()),
        "in_reply_to_user_id": _either(st.none()),
    },
)

_POSTS = {
    "feed": _feed_xml | _feed_xml | _feed_json,
    "mastodon": _json(_some(_status)),
    "bluesky": _json(_either(st.fixed_dictionaries({"records": _some(_record)}))),
    "x": _json(
        _either(
            st.fixed_dictionaries(
                {
                    "data": _either(
                        st.lists(
                            st.fixed_dictionaries(
                                {
                                    "id": _either(st.just("USER")),
                                    "username": _either(st.just("NAME")),
                                    "most_recent_tweet_id": _either(st.just("1859000000000000005")),
                                },
                                optional={"protected": _value},
                            ),
                            min_size=1,
                            max_size=2,
                        )
                    ),
                    "includes": _either(st.fixed_dictionaries({"tweets": _some(_tweet)})),
                },
                optional={"errors": _value, "meta": _value},
            )
        )
    ),
}
_identity = _mostly(st.just(b""), _json(_value) | _anything)
_header = st.tuples(
    st.sampled_from(("Content-Type", "ETag", "Last-Modified", "Link", "Retry-After", "X-A")),
    st.sampled_from(CHARSETS).map(lambda it: f"text/xml; charset={it}".encode("latin-1", "ignore"))
    | st.binary(max_size=80),
)
_wiring = st.fixed_dictionaries(
    {
        "template": st.sampled_from(TEMPLATES),
        "length": st.sampled_from((1, 2, 10, 200, 200, 1_000)),
        "mentions": st.booleans(),
        "hashtags": st.booleans(),
        "pep": st.sampled_from(PEP),
    }
)
_payload = st.sampled_from(KINDS).flatmap(
    lambda kind: st.fixed_dictionaries(
        {
            "kind": st.just(kind),
            "identity": _identity,
            "posts": _mostly(_spoilt(_POSTS[kind]), _anything),
            "headers": _mostly(st.just([]), st.lists(_header, max_size=3)),
            "text": _text,
            "wiring": _wiring,
        }
    )
)
