"""Wiring: what people type is checked in one place and kept in one form."""

from datetime import timedelta

import pytest
from pydantic import SecretStr

from lastword.wiring import checked, checked_password


@pytest.mark.parametrize(
    ("field", "typed", "kept"),
    [
        ("name", " alice ", "alice"),
        ("name", "Ünal_1.a@b+c-d", "Ünal_1.a@b+c-d"),
        ("name", "a" * 64, "a" * 64),
        ("source", " Feed:HTTPS://Blog.example/f ", "feed:https://blog.example/f"),
        ("jid", "Alice@Chat.example", "alice@chat.example"),
        ("publisher", "login", "login"),
        ("template", "{source}: {text}", "{source}: {text}"),
        ("length", "1000", 1000),
        ("length", "0001000", 1000),
        ("mentions", "Drop", False),
        ("hashtags", "keep", True),
        ("max_age", "90d", timedelta(days=90)),
        ("max_age", "default", None),
        ("expires_after", " 12 H", timedelta(hours=12)),
        ("expires_after", "never", None),
        ("only", " #Status,berlin ,, berlin", "#Status, berlin"),
        ("never", "cafe\u0301", "caf\u00e9"),
        ("never", "", ""),
        ("pep", "Default", ""),
        ("pep", " none ", "none"),
        ("pep", "tune, Activity,tune", "activity,tune"),
    ],
)
def test_wiring_is_kept_in_its_normal_form(field: str, typed: str, kept: object) -> None:
    assert checked(field, typed) == kept


@pytest.mark.parametrize(
    ("field", "typed", "words"),
    [
        ("name", "", "cannot be a name"),
        ("name", "-a", "cannot be a name"),
        ("name", "a b", "cannot be a name"),
        ("name", "a/b", "cannot be a name"),
        ("name", "a" * 65, "cannot be a name"),
        ("name", "a\nb", "the name has a control character"),
        ("source", "alice", "a source address is kind:handle"),
        ("source", "mastadon:a@b.example", "did you mean 'mastodon'"),
        ("source", "feed:https://a.example/" + "x" * 2048, "2048 is the limit"),
        ("jid", "alice", "a JID looks like alice@chat.example"),
        ("publisher", "logn", "there is no publisher 'logn': there is .*login"),
        ("template", "{txt}", "it takes {text}, {url}, {source}"),
        ("template", "{text", "malformed"),
        ("template", "{text}" * 100, "512 is the limit"),
        ("template", "{text}\udc80", "control character"),
        ("length", "0", "a number from 1 to 1000"),
        ("length", "1001", "a number from 1 to 1000"),
        ("length", "-5", "a number from 1 to 1000"),
        ("length", "9" * 30, "a number from 1 to 1000"),
        ("length", "9" * 5000, "the length has 5000 characters"),
        ("length", "000005999999", "a number from 1 to 1000"),
        ("mentions", "yes", "neither keep nor drop"),
        ("max_age", "month", "looks like 30d, 12h or 90m"),
        ("max_age", "0d", "looks like 30d, 12h or 90m"),
        ("expires_after", "999999w", "looks like 30d, 12h or 90m"),
        ("only", "two words", "neither a word nor a #tag"),
        ("pep", "nick", "there is no 'nick' in PEP: there is activity, microblog, tune"),
        ("pep", "activity,", "there is no ''"),
        ("pep", "none,tune", "there is no 'none'"),
        ("never", "#", "neither a word nor a #tag"),
        ("never", "a," * 600, "1024 is the limit"),
        ("only", ",".join(f"a{it}" for it in range(199)), "has 1082 characters, and 1024 is"),
    ],
)
def test_wrong_wiring_says_what_is_right(field: str, typed: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        checked(field, typed)


@pytest.mark.parametrize(
    ("typed", "words"),
    [("", "empty"), ("x" * 1025, "longer than 1024"), ("sesame\udc80", "not UTF-8")],
)
def test_a_wrong_password_is_told_and_not_repeated(typed: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as told:
        checked_password(SecretStr(typed))
    assert "sesame" not in str(told.value)


@pytest.mark.parametrize("odd", [" sesame ", "sésame", "\x01", "{text}"])
def test_a_password_is_taken_as_it_is(odd: str) -> None:
    assert checked_password(SecretStr(odd)).get_secret_value() == odd
