"""Encodings: what XML says of its own, where it is right and where it is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastword.sources.encoding import charset_of, well_labelled

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
    ("said", "really", "kind"),
    [
        ("utf-8", "utf-8", ""),
        ("UTF8", "utf-8", "text/xml; charset=iso-8859-1"),
        ("koi8-r", "koi8-r", "text/xml; charset=utf-8"),
        ("gb2312", "gb2312", ""),
        ("utf-16", "utf-16", ""),
        ("utf-16", "utf-16-be", ""),
        ("iso-2022-jp", "iso-2022-jp", ""),
        ("nonsense", "koi8-r", ""),
    ],
)
def test_what_is_right_stays(said: str, really: str, kind: str) -> None:
    xml = DECLARED.format(said, "日本" if really.startswith(("gb", "iso")) else "Привет")
    assert well_labelled(xml.encode(really), kind) == xml.encode(really)


@pytest.mark.parametrize(
    ("said", "really", "kind", "label"),
    [
        ("utf-8", "cp1252", "", "windows-1252"),
        ("utf-8", "cp1252", "text/xml; charset=utf-8", "windows-1252"),
        ("utf-8", "latin-1", "text/xml; charset=ISO-8859-1", "windows-1252"),
        ("utf-8", "cp1254", "text/xml; charset=windows-1254", "windows-1254"),
        ("us-ascii", "cp1252", "", "windows-1252"),
        ("latin1", "utf-8", "", "utf-8"),
        ("koi8-r", "utf-8", "", "utf-8"),
        ("utf-16", "utf-8", "", "utf-8"),
        ("utf8mb4", "utf-8", "", "utf-8"),
    ],
)
def test_what_is_wrong_is_put_right(said: str, really: str, kind: str, label: str) -> None:
    xml = DECLARED.format(said, "é, à la").encode(really)
    assert well_labelled(xml, kind) == DECLARED.format(label, "é, à la").encode(really)
    bare = "<a>é</a>".encode(really)
    if label != "utf-8":
        labelled = DECLARED.format(label, "é").encode(really)
        assert well_labelled(bare, kind) == labelled
        assert well_labelled(b'<?xml version="1.1" standalone="yes"?>' + bare, kind) == labelled


def test_wide_and_in_single_bytes() -> None:
    xml = DECLARED.format("utf-16", "plain").encode()
    assert well_labelled(xml, "") == DECLARED.format("utf-8", "plain").encode()


def test_a_character_that_was_cut_in_two_changes_nothing() -> None:
    xml = DECLARED.format("utf-8", "Crème brûlée à").encode()[:-5] + b"...</a>"
    with pytest.raises(UnicodeDecodeError):
        xml.decode()
    assert well_labelled(xml, "") == xml


@given(st.binary(), st.text(), st.sampled_from([b"", b"<?xml encoding='", b"<?xml ?>", b"<?xml"]))
def test_any_bytes(body: bytes, kind: str, start: bytes) -> None:
    labelled = well_labelled(start + body, kind)
    assert well_labelled(labelled, kind) == labelled
