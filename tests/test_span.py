"""Spans of time, as typed and as shown."""

from datetime import timedelta

import pytest

from lastword.span import format_span, parse_span


@pytest.mark.parametrize(
    ("text", "span", "shown"),
    [
        ("30d", timedelta(days=30), "30d"),
        (" 12 H ", timedelta(hours=12), "12h"),
        ("45s", timedelta(seconds=45), "45s"),
        ("90m", timedelta(minutes=90), "90m"),
        ("120m", timedelta(hours=2), "2h"),
        ("2w", timedelta(days=14), "14d"),
    ],
)
def test_spans(text: str, span: timedelta, shown: str) -> None:
    assert parse_span(text) == span
    assert format_span(span) == shown
    assert parse_span(shown) == span


@pytest.mark.parametrize("text", ["", "30", "d", "0d", "-1d", "1.5h", "1y", "999999w", "٣d"])
def test_what_is_no_span(text: str) -> None:
    with pytest.raises(ValueError, match="looks like 30d, 12h or 90m"):
        parse_span(text)
