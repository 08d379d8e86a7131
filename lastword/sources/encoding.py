"""What XML says of its own encoding, put right where the bytes speak against it.

Feeds are put together from texts of any age, by programs that know little of them; and what a
header says of the encoding (RFC 7303, 3) never reaches a parser. libxml2 would end the text at
the first wrong byte, or show a mark in its place.
"""

import codecs
import re

_MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_DECLARATION = re.compile(rb"\s*<\?xml\b([^>]{0,200})\?>", re.ASCII)
_ENCODING = re.compile(rb"\bencoding\s*=\s*[\"']([\w.:-]{1,40})", re.ASCII)
_CHARSET = re.compile(r";\s*charset\s*=\s*\"?([\w.:-]{1,40})", re.IGNORECASE | re.ASCII)
_UTF_8 = re.compile("utf-?8", re.IGNORECASE)
_WIDE = re.compile("utf-?(?:16|32)|ucs|iso-10646", re.IGNORECASE)
# Bytes of theirs may make UTF-8 by chance.
_EAST_ASIAN = re.compile("big5|cp9|euc|gb|hz|iso-2022|johab|ks_c|shift|sjis|x-", re.IGNORECASE)
# What says that it is one of these is the first, as browsers know:
# https://encoding.spec.whatwg.org/#names-and-labels
_WESTERN = "windows-1252"
_LIKE_WESTERN = re.compile("(?:us-)?ascii|iso-?8859-?1|latin-?1", re.IGNORECASE)


def charset_of(content_type: str) -> str | None:
    """Return the charset that a Content-Type header names, or None."""
    match = _CHARSET.search(content_type)
    return match[1] if match else None


def well_labelled(xml: bytes, content_type: str) -> bytes:
    """Return the XML with a declaration that names its encoding, if the one it has is wrong.

    Args:
        xml: the body of an answer.
        content_type: the header's value; empty where there is none.
    """
    if xml.startswith(_MARKS) or b"\0" in xml[:4]:
        return xml  # these tell it for certain
    declaration = _DECLARATION.match(xml)
    declared = _ENCODING.search(declaration[1]) if declaration else None
    said = declared[1].decode("ascii") if declared else "utf-8"
    label = _label(xml, said, charset_of(content_type))
    if label == said:
        return xml
    rest = xml[declaration.end() :] if declaration else xml
    return f'<?xml version="1.0" encoding="{label}"?>'.encode("ascii") + rest


def _label(xml: bytes, said: str, header: str | None) -> str:
    if xml.isascii():
        return "utf-8" if _WIDE.match(said) else said
    if _is_utf_8(xml):
        return said if _UTF_8.fullmatch(said) or _EAST_ASIAN.match(said) else "utf-8"
    if _UTF_8.fullmatch(said):
        said = _WESTERN if header is None or _UTF_8.fullmatch(header) else header
    return _WESTERN if _LIKE_WESTERN.fullmatch(said) else said


def _is_utf_8(body: bytes) -> bool:
    """Tell whether it is UTF-8, perhaps with characters that were cut in two."""
    text = body.decode("utf-8", "replace")
    wrong = text.count("\ufffd")
    return len(text) - len(text.encode("ascii", "ignore")) >= 2 * wrong
