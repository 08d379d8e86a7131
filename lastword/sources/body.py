"""Reads a response's body within bounds: a small gzip body can hide gigabytes."""

import zlib

import httpx

from lastword.errors import Rejected, Transient
from lastword.sources.hosts import place

LIMIT = 1 << 20
"""Bytes of a body, on the wire and again when unpacked, unless told otherwise."""

_PIECES = 1 << 14
"""A body comes in so many pieces at most: each costs time, even where it holds just a byte."""

_GZIP_OR_ZLIB = 47


async def read_body(response: httpx.Response, most: int = LIMIT) -> bytes:
    """Return the body, unpacked.

    Args:
        response: its body not read yet.
        most: bytes that are taken, on the wire and again when unpacked.

    Raises:
        Rejected: it is larger than `most`, or comes in crumbs.
        Transient: it is packed in a way that was not asked for, or damaged.
    """
    where = place(response.url)
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("", "identity", "gzip", "x-gzip"):
        raise Transient(f"{where} answers in an encoding that was not asked for")
    unpacker = zlib.decompressobj(_GZIP_OR_ZLIB) if "gzip" in encoding else None
    body = bytearray()
    received = pieces = 0
    async for raw in response.aiter_raw():
        received += len(raw)
        pieces += 1
        try:
            # What follows the packed data is read, so that the connection can be used again,
            # and dropped, as browsers do.
            chunk = unpacker.decompress(raw, most + 1 - len(body)) if unpacker else raw
        except zlib.error as error:
            raise Transient(f"{where} answers with damaged gzip data") from error
        body += chunk
        if pieces > _PIECES:
            raise Rejected(f"{where} answers in crumbs: give another address")
        if max(received, len(body)) > most:
            raise Rejected(
                f"{where} answers with more than {most >> 20} MiB: give a smaller feed's address"
            )
    if unpacker and received and not unpacker.eof:
        raise Transient(f"{where} broke off its answer")
    return bytes(body)
