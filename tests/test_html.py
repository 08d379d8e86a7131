"""HTML to text: what a reader sees, and nothing that hurts."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lastword.sources.html import to_text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("", ""),
        ("plain & simple, 1 < 2 <3", "plain & simple, 1 < 2 <3"),
        ("<p>one</p><p>two<br>three<br/>four</p>", "one\ntwo\nthree\nfour"),
        ("<ul><li>one<li>two</ul>after", "one\ntwo\nafter"),
        ("<p>some\n  spaces&nbsp;&nbsp;here </p>", "some spaces here"),
        ("<b>b</b><i>i</i> <u>u</u>", "bi u"),
        ("&eacute;&#233;&#xe9;&amp;amp;&lt;p&gt;&#128512;", "ééé&amp;<p>😀"),
        ("&#0;&#xD800;&#99999999999999;", "\ufffd\ufffd\ufffd"),
        ("a<script>alert('<p>')</script><style>p {}</style><!-- c -->b", "ab"),
        ("<html><head><title>t</title></head><body>x</body></html>", "x"),
        ('<p class="quote-inline">RE: <a href="u"><b>u</b></a></p><p>mine</p>', "mine"),
        ('<span class="a quote-inline b">RE</span>mine', "mine"),
        (
            '<a href="u"><span class="invisible">https://</span>x.example/1</a>',
            "https://x.example/1",
        ),
        ("<p>unclosed <b>bold", "unclosed bold"),
        ("</p></div>stray<", "stray<"),
        ("x<![CDATA[y]]>z<![if IE]>w", "xzw"),
        ("<xhtml:p>a</xhtml:p><xhtml:p>b</xhtml:p>", "a\nb"),
        ("<?xml version='1.0' encoding='utf-16'?><p>é</p>", "é"),
        ("<meta charset='latin1'><p>é 😀</p>", "é 😀"),
        ("\ud800half", "half"),
    ],
)
def test_to_text(html: str, text: str) -> None:
    assert to_text(html) == text


@pytest.mark.parametrize(
    "piece",
    [
        *("<div>", "<b>", "<p>", "<ul><li>", "<table><tr><td>", "</div>", "<a ", "<a a=", "<a a='"),
        *("<", "</", "<!--", "<![", "<?", "&", "&#", "&#1", "&a", "<script>", "<a/", "a ", "\x00"),
    ],
)
@pytest.mark.timeout(10)
def test_two_megabytes_of_anything(piece: str) -> None:
    to_text(piece * (2_000_000 // len(piece)))
    to_text("<p " + piece * (2_000_000 // len(piece)) + ">")


TAGS = st.sampled_from(
    [
        *("<p>", "</p>", "<br/>", "<!--", "-->", "<![CDATA[", "]]>", "<script>", "</script>", "<?"),
        *("&", "&#", ";", "9" * 5000, "<a href='", "'>", "<svg>", "<x:y z>", "<!doctype"),
    ]
)


@settings(deadline=None)  # the machine may be busy
@given(st.text() | st.lists(TAGS | st.text(max_size=4)).map("".join))
def test_any_text(html: str) -> None:
    text = to_text(html)
    assert text == "\n".join(" ".join(line.split()) for line in text.splitlines() if line.split())
