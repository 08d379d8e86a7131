"""Looks for canaries in all that an installation leaves behind, in whatever form they are."""

import base64
import gzip
import os
import re
import sqlite3
import subprocess
import tempfile
import zlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path

_PIECE = 10
"""Characters of a canary that give it away: what is shown of long texts is their ends."""
_DEEP = 2
_PACKED = re.compile(rb"\x1f\x8b\x08|\x78[\x01\x5e\x9c\xda]")
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{32,}={0,2}")
_MOST_PACKED = 2_000
_UNPACKED = 1 << 22


class Canaries:
    """Words that must be nowhere, and all forms of them.

    They are letters, digits, - and _: so JSON, percent-encoding and XML leave them as they are.

    Args:
        words: by what each is.
    """

    def __init__(self, words: Mapping[str, str]) -> None:
        self._what = {form.lower(): what for what, word in words.items() for form in _forms(word)}
        # Hundreds of words in many megabytes: grep looks for all of them at once.
        self._patterns = tempfile.NamedTemporaryFile(prefix="lastword-canaries-")  # noqa: SIM115
        self._patterns.write(b"\n".join(self._what) + b"\n")
        self._patterns.flush()

    def found_in(self, data: bytes, deep: int = _DEEP) -> set[str]:
        """Return which are in some bytes, also where those are packed or in base64."""
        seen = subprocess.run(
            ["grep", "-aoiF", "-f", self._patterns.name],
            input=b"\n".join(_unfolded(data, deep)),
            stdout=subprocess.PIPE,
            env={"LC_ALL": "C", "PATH": os.defpath},
            check=False,
        )
        assert seen.returncode in (0, 1), "grep finds something, or nothing"
        return {self._what[one.lower()] for one in seen.stdout.splitlines()}

    def found_below(self, directory: Path) -> dict[str, set[str]]:
        """Return in which files they are, by path; in databases also by table and column."""
        found: dict[str, set[str]] = {}
        for file in sorted(directory.rglob("*")):
            if not file.is_file():
                continue
            data = file.read_bytes()
            where = str(file.relative_to(directory))
            # A core has all of a process: it is looked at as it is.
            if seen := self.found_in(data, 0 if file.name.startswith("core") else 1):
                found[where] = seen
            if data.startswith(b"SQLite format 3"):
                for column, values in _columns(file).items():
                    if seen := self.found_in(b"\n".join(values)):
                        found[f"{where} {column}"] = seen
        return found


def _forms(word: str) -> Iterator[bytes]:
    """Yield a word's ends in all encodings; a form that is whole begins with such an end."""
    for piece in {word[:_PIECE], word[-_PIECE:]}:
        plain = piece.encode()
        yield plain
        yield piece.encode("utf-16-le")
        yield piece.encode("utf-16-be")
        yield plain.hex().encode()
        for before in range(3):  # its place in a longer text decides how base64 writes it
            text = base64.b64encode(bytes(before) + plain)
            start = -(-before * 8 // 6)
            yield text[start : (before + len(plain)) * 8 // 6]


def _unfolded(data: bytes, deep: int) -> Iterator[bytes]:
    """Yield some bytes, and what is packed or encoded within them, and within that."""
    yield data
    if deep:
        for inner in _inner(data):
            yield from _unfolded(inner, deep - 1)


def _inner(data: bytes) -> Iterator[bytes]:
    """Yield what is packed or encoded within."""
    for match, _ in zip(_PACKED.finditer(data), range(_MOST_PACKED), strict=False):
        packed = data[match.start() : match.start() + _UNPACKED]
        with suppress(zlib.error, OSError, EOFError):
            wbits = 31 if packed.startswith(b"\x1f") else 15
            yield zlib.decompressobj(wbits).decompress(packed, _UNPACKED)
    for match, _ in zip(_BASE64.finditer(data), range(_MOST_PACKED), strict=False):
        text = match[0].rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/"))
        with suppress(ValueError):
            yield base64.b64decode(text[: len(text) // 4 * 4])


def _columns(file: Path) -> dict[str, list[bytes]]:
    """Return every text of a database by table and column: pages of a file cut them up."""
    found = defaultdict[str, list[bytes]](list)
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
        database.text_factory = bytes
        tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in tables:
            name = table.decode()
            rows = database.execute(f'SELECT * FROM "{name}"')  # noqa: S608 (its own name)
            columns = [f"{name}.{column[0]}" for column in rows.description]
            for row in rows:
                for column, value in zip(columns, row, strict=True):
                    if isinstance(value, bytes):
                        found[column].append(value)
    return found


def check_search() -> None:
    """Check that a canary is found however it is hidden: else to find nothing proves nothing."""
    word = "Canary-4f1c9d2e7a"
    canaries = Canaries({"it": word})
    plain = f"x{word}y".encode()
    hidden = (
        plain,
        plain.lower(),
        word.encode("utf-16-le"),
        word.encode().hex().encode(),
        *(base64.b64encode(b"a" * n + plain) for n in range(3)),
        gzip.compress(plain),
        base64.b64encode(zlib.compress(b"some words " * 9 + plain)),
        word[:12].encode() + b"...",
    )
    missed = [one for one in hidden if canaries.found_in(one) != {"it"}]
    assert not missed, missed
    assert canaries.found_in(b"nothing of it" * 99) == set()
