"""A status is one line of valid XML text within its length, whatever the post holds."""

from xml.etree import ElementTree as ET

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from lastword.post import Post
from lastword.status import check_template, clean, cut, status_of

# Half of it from what combines, joins, turns direction or is forbidden.
AWKWARD = "aé\u0301\u200d\ufe0f👩🏽🇺🇦ᄀ각ᆨ\u202e\u2067\u00ad\x00\x0b\ud800\ufffe\U000e0067 \n@#._-:"
ANY_TEXT = st.text(st.characters(exclude_categories=()) | st.sampled_from(AWKWARD), max_size=300)


def graphemes(text: str) -> int:
    return len(regex.findall(r"\X", text))


@given(ANY_TEXT)
def test_cleaned_text_is_a_fixed_point_and_valid_xml(text: str) -> None:
    cleaned = clean(text)
    assert clean(cleaned) == cleaned
    element = ET.Element("status")
    element.text = cleaned
    # defusedxml has nothing to defuse in what was just written here.
    assert (ET.fromstring(ET.tostring(element)).text or "") == cleaned  # noqa: S314


@given(
    ANY_TEXT, st.integers(1, 50), st.sampled_from(["{text}", "{text} {url}", "{source}: {text}"])
)
def test_a_status_keeps_to_its_length_in_graphemes(text: str, length: int, template: str) -> None:
    post = Post(id="1", text=text, url="https://blog.example/1")
    status = status_of(post, template=template, source="feed:https://blog.example", length=length)
    assert graphemes(status) <= length
    assert clean(status) == status


@given(ANY_TEXT, st.integers(1, 50), st.booleans(), st.booleans())
def test_a_status_made_a_post_gives_the_same_status(
    text: str, length: int, mentions: bool, hashtags: bool
) -> None:
    def status(text: str) -> str:
        return status_of(Post("1", text), length=length, mentions=mentions, hashtags=hashtags)

    assert status(status(text)) == status(text)


@pytest.mark.parametrize(
    "text", ["e" + "\u0301\u0323" * 5_000, "👩\u200d" * 5_000, "ᄀ" * 10_000, "\u0600" * 10_000]
)
def test_one_grapheme_of_thousands_of_code_points(text: str) -> None:
    assert len(status_of(Post("1", text), length=10)) <= 160


@pytest.mark.parametrize(
    ("text", "dropped"),
    [
        ("with @bob@social.example and @ann, thanks", "with and , thanks"),
        ("mail me@home.example", "mail me@home.example"),
        ("see https://social.example/@bob", "see https://social.example/@bob"),
        ("https://app.example/?by=@bob @bob", "https://app.example/?by=@bob"),
        ("@a@b@c d", "d"),
    ],
)
def test_mentions(text: str, dropped: str) -> None:
    assert status_of(Post("1", text)) == text
    assert status_of(Post("1", text), mentions=False) == dropped


@pytest.mark.parametrize(
    ("text", "dropped"),
    [
        ("Rain again #weather #Wetter_2", "Rain again"),
        ("I love #bread.", "I love ."),
        ("We are #1 and C# is fine", "We are #1 and C# is fine"),
        ("see https://blog.example/#top", "see https://blog.example/#top"),
        ("https://app.example/?v=#section #app", "https://app.example/?v=#section"),
        ("猫 #写真", "猫"),
        ("猫 \uff03写真", "猫"),
        ("नमस्ते #हिन्दी", "नमस्ते"),
    ],
)
def test_hashtags(text: str, dropped: str) -> None:
    assert status_of(Post("1", text)) == text
    assert status_of(Post("1", text), hashtags=False) == dropped


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("two\r\nlines\n\n\tand  spaces", "two lines and spaces"),
        ("nul\x00 esc\x1b surrogate\ud800 nonchar\ufffe", "nul esc surrogate nonchar"),
        ("e\u0301", "é"),
        ("\u202eright to left\u202c", "right to left"),
        ("\u200b\ufeff \u2060\u3164\u2800", ""),
        ("\u200bseen", "\u200bseen"),
    ],
)
def test_cleaning(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


def test_a_cut_never_splits_a_grapheme() -> None:
    family = "👨‍👩‍👧"
    assert cut(family * 5, 3) == family * 2 + "…"
    assert cut(family * 3, 3) == family * 3


def test_the_text_gives_way_so_that_the_link_stays_whole() -> None:
    post = Post(id="1", text="word " * 100, url="https://blog.example/1")
    status = status_of(post, template="{text} {url}", length=60)
    assert status.endswith("… https://blog.example/1")
    assert graphemes(status) <= 60


def test_a_link_for_which_there_is_no_room_is_left_out() -> None:
    post = Post(id="1", text="word " * 100, url=f"https://blog.example/{'x' * 90}")
    for template in ("{text} {url}", "{url} {text}"):
        status = status_of(post, template=template, length=60)
        assert "https" not in status
        assert status.endswith("word…")
        assert graphemes(status) <= 60


@pytest.mark.parametrize("template", ["{text", "{foo}", "no field", "{text!r}", "{0}", "{text.x}"])
def test_a_wrong_template_is_told(template: str) -> None:
    with pytest.raises(ValueError, match=r"\{text\}, \{url\}, \{source\}|\{text\} or \{url\}"):
        check_template(template)
