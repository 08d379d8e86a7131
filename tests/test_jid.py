"""Bare JIDs: one form, and a message that says what one looks like."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from slixmpp import JID, InvalidJID

from lastword.jid import domain_of, is_same_server, normalise


@pytest.mark.parametrize(
    ("typed", "normal"),
    [
        ("alice@chat.example", "alice@chat.example"),
        ("  Alice@Chat.EXAMPLE. ", "alice@chat.example"),
        ("\uff41lice@chat。example", "alice@chat.example"),
        ("Юля@Пример.example", "юля@пример.example"),
        ("a@xn--e1afmkfd.example", "a@пример.example"),
        ("first.last+tag@chat.example", "first.last+tag@chat.example"),
        ("a@localhost", "a@localhost"),
        ("a@127.0.0.1", "a@127.0.0.1"),
        ("a@[::1]", "a@[::1]"),
    ],
)
def test_one_form(typed: str, normal: str) -> None:
    assert normalise(typed) == normal


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("", "the @ is missing"),
        ("alice", "the @ is missing"),
        ("@chat.example", "nothing stands before the @"),
        ("alice@", "the server after the @ is missing"),
        ("alice@chat.example/phone", "leave out the resource"),
        ("al ice@chat.example", "it has a space in it"),
        ("alice@chat example", "it has a space in it"),
        ("a@b@chat.example", "is no server's name"),
        ("alice@chat.example:5222", "is no server's name"),
        ("alice@-chat.example", "is no server's name"),
        ("alice@chat..example", "is no server's name"),
        ("alice@[::zz]", "is no server's name"),
        ("xmpp:alice@chat.example", "it may not have ':' before the @"),
        ("al\x00ice@chat.example", r"it may not have '\\x00' before the @"),
        ("al\u200dice@chat.example", "it may not have"),
        ("☃@chat.example", "it may not have '☃' before the @"),
        ("a" * 1024 + "@chat.example", "it is too long before the @"),
        ("alice@" + "a" * 64 + ".example", "is no server's name"),
    ],
)
def test_what_is_none_says_why_and_what_one_looks_like(typed: str, why: str) -> None:
    with pytest.raises(ValueError, match=f"{why}.*a JID looks like alice@chat.example"):
        normalise(typed)


@pytest.mark.parametrize(
    ("typed", "other"),
    [
        ("a@faß.de", "a@fass.de"),
        ("a@xn--fa-hia.de", "a@fass.de"),
        ("a@βόλος.gr", "a@βόλοσ.gr"),
        ("straße@chat.example", "strasse@chat.example"),
        ("νίκος@chat.example", "νίκοσ@chat.example"),
        ("a@क्\u200dष.example", "a@क्ष.example"),
        ("a\ufe00@chat.example", "a@chat.example"),
    ],
)
def test_what_xmpp_software_takes_for_another(typed: str, other: str) -> None:
    with pytest.raises(ValueError, match=f"takes it for '{other}': give that one if it is meant"):
        normalise(typed)
    assert normalise(other) == other


def test_u_labels_and_a_labels_are_one_name() -> None:
    assert is_same_server("пример.example", "xn--e1afmkfd.example")
    assert not is_same_server("faß.de", "fass.de")
    assert not is_same_server("[::1]", "[::2]")


@given(st.text() | st.from_regex(r"\w+@\w+\.example", fullmatch=True))
def test_slixmpp_makes_none_another(typed: str) -> None:
    try:
        normal = normalise(typed)
        made = JID(normal)
    except (ValueError, InvalidJID):
        return
    assert made.bare == normal


@given(st.text() | st.from_regex(r"\w+@\w+\.example", fullmatch=True))
def test_the_normal_form_is_final(typed: str) -> None:
    try:
        normal = normalise(typed)
    except ValueError:
        return
    assert normalise(normal) == normal
    assert domain_of(normal) in normal
    assert not set(normal) & set(" /\n\t\x00")


def test_domain() -> None:
    assert domain_of("alice@chat.example") == "chat.example"
