"""XML in whatever encoding, to UTF-8: what it says of its own is put right where it is wrong.

Feeds are put together from texts of any age, by programs that know little of them; and what a
header says of the encoding (RFC 7303, 3) never reaches a parser. libxml2 knows only the strict
meaning of a label, or none, and would end the text at the first byte that it cannot read.
"""

import codecs
import re

_MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_DECLARATION = re.compile(rb"\s*<\?xml\b([^>]{0,200})\?>", re.ASCII)
_ENCODING = re.compile(rb"\bencoding\s*=\s*[\"']([\w.:-]{1,40})", re.ASCII)
_CHARSET = re.compile(r";\s*charset\s*=\s*\"?([\w.:-]{1,40})", re.IGNORECASE | re.ASCII)
_UTF_8 = re.compile("utf-?8", re.IGNORECASE)
_UTF_8_DECLARED = '<?xml version="1.0" encoding="utf-8"?>'

# What a label means to browsers, which is what writers have tried: mostly a larger set than its
# name says. https://encoding.spec.whatwg.org/#names-and-labels
_WESTERN = "cp1252"
_AS_BROWSERS = {
    "ascii": _WESTERN,
    "iso8859-1": _WESTERN,
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "big5": "big5hkscs",
    "cp950": "big5hkscs",
}
_UNKNOWN_TO_PYTHON = {"windows-31j": "cp932", "gb_2312-80": "gb2312"}
_BESIDE_NAME = re.compile(r"^(?:x-)+|(?<=\d)-[ei]$")
_CODE_PAGE = re.compile(r"(?:windows|dos)-(?=\d+$)")
# Those in which a declaration can be read as it stands; not UTF-7, say, or Base64.
_CHARSETS = re.compile(
    "ascii|big5|cp(?:437|7|8(?!75)|9|125)|euc_|gb|hz|iso2022|iso8859|johab|koi8|kz1048|mac-"
    "|ptcp154|shift_jis|tis-620"
)
# Bytes of theirs may make UTF-8 by chance.
_EAST_ASIAN = re.compile("big5|cp9|euc_|gb|johab|shift_jis")
_IN_ASCII = re.compile("hz|iso2022")


def charset_of(content_type: str) -> str | None:
    """Return the charset that a Content-Type header names, or None."""
    match = _CHARSET.search(content_type)
    return match[1] if match else None


def in_utf_8(xml: bytes, content_type: str) -> bytes:
    """Return the XML in UTF-8, and declared so; a byte that means nothing becomes U+FFFD.

    Args:
        xml: the body of an answer. With a byte order mark, or in UTF-16, it stays as it is.
        content_type: the header's value; empty where there is none.
    """
    if xml.startswith(_MARKS) or b"\0" in xml[:4]:
        return xml  # these tell it for certain
    declaration = _DECLARATION.match(xml)
    declared = _ENCODING.search(declaration[1]) if declaration else None
    said = declared[1].decode("ascii") if declared else "utf-8"
    codec = _codec(xml, said, charset_of(content_type))
    if codec is None and _UTF_8.fullmatch(said):
        return xml
    rest = xml[declaration.end() :] if declaration else xml
    return _UTF_8_DECLARED.encode() + (rest.decode(codec, "replace").encode() if codec else rest)


def _codec(xml: bytes, said: str, header: str | None) -> str | None:
    """Return the Python codec that reads it, or None where it is UTF-8."""
    codec = _meant_by(said)
    if codec and _IN_ASCII.match(codec):
        return codec
    if xml.isascii():
        return None
    if _is_utf_8(xml) and not (codec and _EAST_ASIAN.match(codec)):
        return None
    return codec or (_meant_by(header) if header else None) or _WESTERN


def _meant_by(label: str) -> str | None:
    """Return the codec that a label means; None for UTF-8 and UTF-16, and what is not known."""
    label = _CODE_PAGE.sub("cp", _BESIDE_NAME.sub("", label.lower()))
    try:
        name = codecs.lookup(_UNKNOWN_TO_PYTHON.get(label, label)).name
    except LookupError:
        return None
    return _AS_BROWSERS.get(name, name) if _CHARSETS.match(name) else None


def _is_utf_8(body: bytes) -> bool:
    """Tell whether it is UTF-8, perhaps with characters that were cut in two."""
    text = body.decode("utf-8", "replace")
    wrong = text.count("\ufffd")
    return len(text) - len(text.encode("ascii", "ignore")) >= 2 * wrong
