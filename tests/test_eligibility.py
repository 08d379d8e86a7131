"""Which post may become the status, and the reasons why others may not."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from lastword.eligibility import Choice, Rules, words
from lastword.post import Post
from models import Account

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
RULES = Rules(now=NOW)
POST = Post(id="1", text="Bread and #butter", time=NOW - timedelta(hours=1))


def old(days: float, post_id: str = "1") -> Post:
    return replace(POST, id=post_id, time=NOW - timedelta(days=days))


@pytest.mark.parametrize(
    ("post", "fault"),
    [
        (POST, None),
        (replace(POST, visibility="unlisted"), None),
        (replace(POST, visibility="private"), "is not public"),
        (replace(POST, visibility="direct"), "is not public"),
        (replace(POST, visibility=""), "is not public"),
        (replace(POST, reply=True), "is a reply"),
        (replace(POST, repost=True), "is a repost"),
        (replace(POST, time=None), None),
        (old(29.9), None),
        (old(30.1), "is older than 30d"),
        (replace(POST, text="Leave me out #NoStatus"), "carries #nostatus"),
        (replace(POST, text="Hidden", warning="Hidden", tags=("NOSTATUS",)), "carries #nostatus"),
        (replace(POST, text="nostatus, the word, is no tag"), None),
        (replace(POST, text="#nostatuses"), None),
        (replace(POST, text="Not this \uff03nostatus"), "carries #nostatus"),
        (
            replace(POST, text="Nor this \ufe5f\uff2e\uff4f\uff33\uff54\uff41\uff54\uff55\uff53"),
            "carries #nostatus",
        ),
        (replace(POST, text="#no\u00adsta\u200btus"), "carries #nostatus"),
        (replace(POST, tags=("\uff03NoStatus",)), "carries #nostatus"),
    ],
)
def test_fault(post: Post, fault: str | None) -> None:
    assert RULES.fault(post) == fault


@pytest.mark.parametrize(
    ("only", "never", "text", "fits"),
    [
        ("bread", "", "BREAD!", True),
        ("bread", "", "breadcrumbs", False),
        ("#bread", "", "bread", False),
        ("bread", "", "#bread", True),
        ("tea, bread", "", "more bread", True),
        ("", "bread", "no bread", False),
        ("", "#bread", "no bread", True),
        ("", "bread", "no #Bread", False),
        ("straße", "", "Auf der STRASSE", True),
        ("cafe\u0301", "", "Café", True),
        ("猫", "", "今日は猫が来た", True),
        ("", "猫", "今日は猫が来た", False),
        ("แมว", "", "วันนี้แมวมา", True),
        ("tea", "milk", "tea with milk", False),
        ("\uff03パン", "", "朝ごはん #パン", True),
        ("", "#パン", "朝ごはん \uff03ﾊﾟﾝ", False),
    ],
)
def test_words(only: str, never: str, text: str, fits: bool) -> None:
    rules = replace(RULES, only=words(only), never=words(never))
    assert (rules.fault(replace(POST, text=text)) is None) == fits


@pytest.mark.parametrize("tag", ["cafe\u0301", "CAFÉ", "Straße", "नहीं"])
def test_an_opt_out_tag_in_any_spelling(tag: str) -> None:
    rules = replace(RULES, opt_out=tag)
    for written in (tag, tag.upper(), tag.lower()):
        assert rules.fault(replace(POST, text=f"Not this #{written}!"))
        assert rules.fault(replace(POST, tags=(written,)))
    assert rules.fault(POST) is None


def test_tags_that_are_not_in_the_text() -> None:
    hidden = replace(POST, text="A warning", tags=("politics",))
    assert replace(RULES, never=words("#politics")).fault(hidden)
    assert replace(RULES, never=words("politics")).fault(hidden)


def test_the_newest_that_fits_is_chosen() -> None:
    posts = [replace(POST, reply=True), replace(POST, repost=True), POST, old(2)]
    assert RULES.choose(posts) == Choice(POST)


def test_only_as_many_are_looked_at_as_needed() -> None:
    posts = iter([POST, old(1)])
    RULES.choose(posts)
    assert next(posts) == old(1)


def test_reasons_read_as_sentences_without_a_word_of_the_post() -> None:
    assert RULES.choose([]).why == "there is no post"
    assert RULES.choose([replace(POST, reply=True), old(90)]).why == (
        "no eligible post: the newest is a reply"
    )
    assert RULES.choose([old(31)]).why == "no eligible post: the newest is older than 30d"


def test_what_stands_already_may_grow_old() -> None:
    standing = replace(RULES, standing="1")
    assert standing.choose([old(90)]).post == old(90)
    assert standing.choose([old(90, "2")]).post is None


def test_expiry() -> None:
    rules = replace(RULES, expires_after=timedelta(hours=12), standing="1", since=NOW)
    assert rules.choose([old(0.4)]).post
    assert rules.choose([old(0.6)]).why == "no eligible post: the newest has expired"


def test_expiry_of_a_post_without_time_counts_from_when_it_was_published() -> None:
    undated = replace(POST, time=None)
    rules = replace(RULES, expires_after=timedelta(hours=12), standing="1")
    assert replace(rules, since=NOW - timedelta(hours=11)).choose([undated]).post
    assert not replace(rules, since=NOW - timedelta(hours=13)).choose([undated]).post
    assert replace(rules, standing=None, since=NOW - timedelta(days=9)).choose([undated]).post


def test_an_earlier_choice_is_judged_again() -> None:
    choice = Choice(old(29))
    assert RULES.again(choice) == choice
    later = replace(RULES, now=NOW + timedelta(days=2)).again(choice)
    assert (later.post, later.why) == (None, "no eligible post: the newest is older than 30d")
    assert replace(RULES, now=NOW + timedelta(days=2), standing="1").again(choice) == choice


def test_memory() -> None:
    for choice in (Choice(POST), Choice(replace(POST, tags=("a",))), Choice(None, "why")):
        assert Choice.from_memory(choice.to_memory() | {"etag": "x"}) == choice


def test_what_was_cleared_counts_only_for_expiry() -> None:
    account = Account(name="a", source="x:a", jid="a@b.example", published_post_id="1")

    def standing() -> str | None:
        return Rules.of(account, now=NOW, max_age=timedelta(days=7), opt_out="x").standing

    assert standing() is None
    account.expires_after = timedelta(hours=12)
    assert standing() == "1"
    account.expires_after, account.published_status = None, "x"
    assert standing() == "1"


def test_rules_of_an_account() -> None:
    account = Account(name="a", source="x:a", jid="a@b.example", only="Bread, #Tea")
    rules = Rules.of(account, now=NOW, max_age=timedelta(days=7), opt_out="quiet")
    assert rules.max_age == timedelta(days=7)
    assert rules.only == {"bread", "#tea"}
    assert rules.fault(replace(POST, text="Tea #quiet")) == "carries #quiet"
    account.max_age = timedelta(days=1)
    assert Rules.of(account, now=NOW, max_age=timedelta(days=7), opt_out="x").max_age.days == 1
