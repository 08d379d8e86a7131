"""Texts and documents that have broken programs before: each is here for what it does to one."""

import gzip
import json

TEXTS = (
    *("", " ", "\0", "a\0b", "\x1b[31mred\x1b[0m", "\x07\x08\x7f\x85\x9b", "\r\n\r\n", "\ufeff"),
    # Half of a surrogate pair, noncharacters, the last code point, private use, tags.
    *("\ud800", "\udfff\ud800", "a\udc00b", "\ufffe\uffff", "\U0010ffff", "\ue000", "\U000e0041"),
    # Directions that leak, what cannot be seen, what is wider than all, soft hyphens.
    *("\u202eevil\u202c", "\u2066\u2067\u2068", "\u200b" * 500, "\u3164\u2800", "\ufdfd" * 50),
    *("\u00ad" * 100, "a\u0336b\u0336", "\u115f\u1160", "\u2028\u2029", "\u180e"),
    # Zalgo, one grapheme of thousands, emoji of many, flags that are no countries, Hangul.
    *("Z" + "\u0301\u0323" * 5_000, "👩‍" * 3_000, "👨‍👩‍👧‍👦" * 60, "🇦" * 401, "ᄀ" * 5_000),
    *("👍🏿" * 90, "#️⃣*️⃣", "🏴\U000e0067\U000e0062\U000e007f", "\u0600" * 999, "ﷺ" * 300),
    # Markup of others: ours has to carry it as text, or to leave it out.
    *("<script>alert(1)</script>", "</status></presence>", "<stream:error/>", "</stream:stream>"),
    *("]]>", "<![CDATA[", "<!--", "<?xml version='1.1'?>", "<!DOCTYPE a [", "&lol9;", "&#0;"),
    *("&#xD800;", "&#x110000;", "&amp;amp;lt;", "<a href='javascript:1'>x</a>", "<svg/onload=1>"),
    *("<p>" * 3_000, "<b" * 3_000, "<a " * 3_000, "<!" * 3_000, "&" * 5_000, "<" * 5_000),
    # For templates, formats, queries, shells, logs and headers.
    *("{text}", "{0}", "{text.__class__}", "%s%n%x", "${jndi:ldap://x}", "'; DROP TABLE account"),
    *("$(id)", "`id`", "x\r\nSet-Cookie: a=b", "../../../etc/passwd", "http://[::1", "//evil"),
    *("https://" + "a" * 3_000 + ".example/", "@" * 999, "#" * 999, "@a@b@c" * 300, "#a" * 999),
    *("ﬁ" * 500, "İ" * 500, "ẞ", "ǆ", "\u1e9b\u0323", "\u03b1\u0345", "Ω", "ΰ" * 200),
    *("word " * 20_000, "x" * 100_000, "é" * 60_000, "\n" * 20_000, "a\u0300" * 20_000),
)
"""From short to as long as a document may be."""

NUMBERS = (
    *(0, -1, 2**31, 2**63, 2**64, -(2**63) - 1, 10**400, 1.5, 1e308, float("nan"), float("inf")),
    *(-0.0, True, None),
)
"""For wherever a number, or none, may stand."""

TIMES = (
    *("2026-01-01T00:00:00Z", "0000-00-00T00:00:00Z", "9999-12-31T23:59:59-23:59", "1e400", "-1"),
    *("2026-02-30T10:00:00Z", "Tue, 32 Foo 2026 25:61:61 +9999", "20260101", "今日", "\0", "00:00"),
    *(
        "0001-01-01T00:00:00+14:00",
        "Thu, 01 Jan 1970 00:00:00 GMT",
        "2026-W01-1T00:00",
        "9" * 5_000,
    ),
)

CHARSETS = (
    *("utf-8", "UTF-16", "utf-7", "utf-32", "iso-8859-1", "windows-1252", "shift_jis", "gb18030"),
    *("x-unknown", "", "idna", "rot13", "base64", "hex", "unicode_escape", "zlib", "mbcs", "\x1b"),
    *("utf-8-sig", "punycode", "undefined", "cp037", "utf8\0"),
)
"""Some are Python's, and no charsets: one that obeys them would run what it is told to."""


def _laughs(depth: int, width: int) -> str:
    return "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * width}">' for n in range(1, depth))


def _rss(text: str, before: str = "") -> bytes:
    item = f"<item><guid>1</guid><title>{text}</title></item>"
    return f'{before}<rss version="2.0"><channel>{item}</channel></rss>'.encode()


_OPEN = "<!DOCTYPE rss ["

DOCUMENTS: tuple[bytes, ...] = (
    b"",
    b"\0" * 1_000,
    bytes(range(256)) * 40,
    b"\xff\xfe<\0r\0s\0s\0>\0",
    b"\xef\xbb\xbf\xef\xbb\xbf<rss/>",
    b"\x1f\x8b\x08\0junk",
    gzip.compress(bytes(4 << 20)),
    # Entities: many, within each other, of files and of the net, in parameters and attributes.
    _rss("&l9;", f'{_OPEN}<!ENTITY l0 "lol">{_laughs(10, 10)}]>'),
    _rss("&l1;", f'{_OPEN}<!ENTITY l0 "{"A" * 50_000}">{_laughs(2, 2_000)}]>'),
    _rss("&a;", f'{_OPEN}<!ENTITY a "&b;"><!ENTITY b "&a;">]>'),
    _rss("&x;", f'{_OPEN}<!ENTITY x SYSTEM "file:///etc/passwd">]>'),
    _rss("&x;", f'{_OPEN}<!ENTITY x SYSTEM "http://127.0.0.1:9/x">]>'),
    _rss("&x;", f'{_OPEN}<!ENTITY % p SYSTEM "file:///etc/hostname"> %p;]>'),
    _rss("x", '<!DOCTYPE rss SYSTEM "http://127.0.0.1:9/dtd">'),
    _rss("x", f'{_OPEN}<!ATTLIST item a CDATA "{"b" * 50_000}">]>'),
    _rss('<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="/etc/passwd"/>'),
    _rss("x", '<?xml-stylesheet href="http://127.0.0.1:9/"?>'),
    # Too much of one thing.
    b"<a>" * 100_000,
    b'<rss version="2.0"><channel>' + b"<item>" * 50_000,
    b"<rss " + b"".join(b"a%d='1' " % n for n in range(20_000)) + b"/>",
    b"<rss a='" + b"x" * 900_000 + b"'/>",
    b"<" + b"r" * 500_000 + b"/>",
    b"<rss " + b"".join(b"xmlns:n%d='u%d' " % (n, n) for n in range(5_000)) + b"/>",
    b'<rss version="2.0"><channel>' + b"<item><title>x</title></item>" * 30_000,
    b"<!--" + b"-" * 300_000,
    b"<?" + b"p" * 300_000,
    b"<![CDATA[" * 30_000,
    # JSON: deep, doubled, numbers that are none or have no end, half-written.
    b"[" * 100_000,
    b'{"items":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    b'{"a":' * 100_000,
    b'{"items":[{"id":"1","id":"2","content_text":"a","content_text":"b"}],"items":[]}',
    b'{"items":[{"id":NaN,"content_text":Infinity},{"id":-Infinity}]}',
    b'{"items":[{"id":' + b"9" * 300_000 + b',"content_text":"x"}]}',
    b'{"items":[{"id":1e999999999,"content_text":"x"}]}',
    b'{"items":[{"id":"1","content_text":"\\ud800"},{"id":"\\u0000","content_text":"\\u0000x"}]}',
    b'{"items":[' + b"{}," * 100_000 + b"{}]}",
    b'{"' + b"k" * 500_000 + b'":1}',
    json.dumps({"items": [{"id": "1", "content_text": "x" * 900_000}]}).encode(),
    b'{"items":[{"id":"1","content_text":"\xff\xfe\xfa"}]}',
    b'"' + b"\\" * 100_001 + b'"',
    b'{"items":{"0":1},"__proto__":{"x":1}}',
    # A page, and pages that never end to announce feeds.
    b"<!doctype html><title>x</title><p>hello",
    b"<html><head>" + b"<link rel=alternate type=application/rss+xml href=/x>" * 10_000,
    b"<html><head><link rel=alternate type=application/rss+xml href='data:,x'>",
    b"<html><head><link rel=alternate type=application/rss+xml href='http://[::1'>",
    b"<html>" + b"<div><b><i>" * 60_000,
)
