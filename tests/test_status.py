"""A status is one line of valid XML text within its length, whatever the post holds."""

from xml.etree import ElementTree as ET

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from lastword.post import Post
from lastword.status import check_template, clean, cut, status_of

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=300)


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


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("two\r\nlines\n\n\tand  spaces", "two lines and spaces"),
        ("nul\x00 esc\x1b surrogate\ud800 nonchar\ufffe", "nul esc surrogate nonchar"),
        ("e\u0301", "é"),
        ("\u202eright to left\u202c", "right to left"),
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


@pytest.mark.parametrize("template", ["{text", "{foo}", "no field", "{text!r}", "{0}", "{text.x}"])
def test_a_wrong_template_is_told(template: str) -> None:
    with pytest.raises(ValueError, match=r"\{text\}, \{url\}, \{source\}|\{text\} or \{url\}"):
        check_template(template)
