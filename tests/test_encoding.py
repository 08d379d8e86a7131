"""Encodings: what XML says of its own, where it is right and where it is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastword.sources.encoding import charset_of, in_utf_8

DECLARED = '<?xml version="1.0" encoding="{}"?><a>{}</a>'


@pytest.mark.parametrize(
    ("kind", "charset"),
    [
        ("text/xml; charset=UTF-8", "UTF-8"),
        ('text/xml;x=y;CHARSET = "koi8-r"; z', "koi8-r"),
        ("text/xml", None),
        ("", None),
        ("charset=utf-8", None),
    ],
)
def test_charset_of(kind: str, charset: str | None) -> None:
    assert charset_of(kind) == charset


@pytest.mark.parametrize(
    ("said", "really"), [("utf-8", "utf-8"), ("UTF8", "utf-8"), ("utf-16", "utf-16")]
)
def test_what_is_right_stays(said: str, really: str) -> None:
    for text in ("Привет", "plain"):
        xml = DECLARED.format(said, text).encode(really)
        assert in_utf_8(xml, "text/xml; charset=iso-8859-1") == xml


def test_utf_16_without_a_mark_stays() -> None:
    xml = DECLARED.format("utf-16", "日本").encode("utf-16-be")
    assert in_utf_8(xml, "") == xml


@pytest.mark.parametrize(
    ("said", "really", "kind", "text"),
    [
        ("koi8-r", "koi8-r", "text/xml; charset=utf-8", "Привет"),
        ("koi8-r", "utf-8", "", "Привет"),
        ("iso-2022-jp", "iso-2022-jp", "", "日本"),
        ("iso-8859-8-i", "iso-8859-8", "", "שלום"),
        ("iso-8859-9", "cp1254", "", "İstanbul € Ğ"),
        ("utf-8", "cp1252", "", "é, à la"),
        ("utf-8", "cp1252", "text/xml; charset=utf-8", "é, à la"),
        ("utf-8", "latin-1", "text/xml; charset=ISO-8859-1", "é, à la"),
        ("utf-8", "cp1254", "text/xml; charset=windows-1254", "é, à la"),
        ("nonsense", "cp1252", "", "é, à la"),
        ("nonsense", "koi8-r", "text/xml; charset=koi8-r", "Привет"),
        ("us-ascii", "cp1252", "", "“é”"),
        ("latin1", "utf-8", "", "é, à la"),
        ("utf-16", "utf-8", "", "é, à la"),
        ("utf-16", "utf-8", "", "plain"),
        ("utf-16", "cp1252", "", "é, à la"),
        ("utf8mb4", "utf-8", "", "é, à la"),
        ("base64", "utf-8", "", "plain"),
        ("utf-7", "utf-8", "", "+AGEAYg-"),
        # What browsers take for the same, and Python and libxml2 do not.
        *(("gb2312", "gb18030", "", text) for text in ("A 镕 Z", "今日は")),
        *((label, "cp932", "", "① 日本") for label in ("shift_jis", "x-sjis", "Windows-31J")),
        *((label, "cp949", "", "똠방") for label in ("euc-kr", "windows-949", "ks_c_5601-1987")),
        *((label, "big5hkscs", "", "嘅 日本") for label in ("big5", "x-x-big5")),
    ],
)
def test_it_becomes_utf_8(said: str, really: str, kind: str, text: str) -> None:
    assert (
        in_utf_8(DECLARED.format(said, text).encode(really), kind)
        == DECLARED.format("utf-8", text).encode()
    )


def test_without_a_declaration() -> None:
    labelled = DECLARED.format("utf-8", "é").encode()
    for start in ("", '<?xml version="1.1" standalone="yes"?>'):
        assert in_utf_8(f"{start}<a>é</a>".encode("cp1252"), "") == labelled


@pytest.mark.parametrize(
    ("said", "wrong", "text"),
    [
        ("euc-jp", b"\xff", "日本"),
        ("windows-1251", b"\x98", "Привет"),
        ("windows-1252", b"\x81", "été"),
        ("shift_jis", b"\x81", "日本"),
        ("gb2312", b"\xff", "今日"),
        ("big5", b"\xff", "日本"),
    ],
)
def test_a_wrong_byte_is_one_wrong_character(said: str, wrong: bytes, text: str) -> None:
    start, end = DECLARED.format(said, text + "|").encode(said).split(b"|")
    title = DECLARED.format("utf-8", text + "\ufffd").encode()
    assert in_utf_8(start + wrong + end, "") == title


def test_a_character_that_was_cut_in_two_changes_nothing() -> None:
    xml = DECLARED.format("utf-8", "Crème brûlée à").encode()[:-5] + b"...</a>"
    with pytest.raises(UnicodeDecodeError):
        xml.decode()
    assert in_utf_8(xml, "") == xml


@given(st.binary(), st.text(), st.sampled_from([b"", b"<?xml encoding='", b"<?xml ?>", b"<?xml"]))
def test_any_bytes(body: bytes, kind: str, start: bytes) -> None:
    assert isinstance(in_utf_8(start + body, kind), bytes)
