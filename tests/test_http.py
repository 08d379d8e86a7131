"""The guarded client against real sockets: what it fetches, and what a status means."""

import asyncio
import gzip
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from pydantic import SecretStr

from lastword.breaker import FAILURES
from lastword.errors import Deferred, Gone, LastWordError, Rejected, Transient
from tests.fixtures_http import Client, Serve, failing, head, once, refusal, respond, silence


async def test_fetch(serve: Serve, client: Client) -> None:
    server = await serve(once(respond(b"hello", "ETag: x")))
    async with client(server) as http:
        reply = await http.get(server.url)
    assert (reply.status, reply.body, reply.url) == (200, b"hello", server.url)
    assert reply.headers["etag"] == "x"


async def test_says_who_asks_and_keeps_no_cookies(serve: Serve, client: Client) -> None:
    asked = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not reader.at_eof():
            asked.append(await head(reader))
            writer.write(respond(b"", "Set-Cookie: a=b"))

    server = await serve(answer)
    async with client(server, contact="ops@lastword.example") as http:
        await http.get(server.url, {"Accept": "text/x-test"})
        await http.get(server.url)
    assert "(+ops@lastword.example)\r\n" in asked[0]
    assert "User-Agent: LastWord/" in asked[0]
    assert "Accept-Encoding: gzip\r\n" in asked[0]
    assert "Accept: text/x-test\r\n" in asked[0]
    assert "cookie" not in asked[1].lower()
    assert server.connections == 1


async def test_not_modified_is_an_answer(serve: Serve, client: Client) -> None:
    server = await serve(once(b"HTTP/1.1 304 Not Modified\r\n\r\n"))
    async with client(server) as http:
        assert (await http.get(server.url)).status == 304
        await http.get(server.url)
    assert server.connections == 1


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "GZIP"])
async def test_gzip(serve: Serve, client: Client, encoding: str) -> None:
    packed = gzip.compress(b"hello" * 1000)
    server = await serve(once(respond(packed, f"Content-Encoding: {encoding}")))
    async with client(server) as http:
        assert (await http.get(server.url)).body == b"hello" * 1000
        await http.get(server.url)
    assert server.connections == 1


async def test_https(serve: Serve, client: Client, tls_for: Callable[..., ssl.SSLContext]) -> None:
    server = await serve(once(respond(b"safe")), tls_for("127.0.0.1"))
    async with client(server) as http:
        assert (await http.get(f"https://{server.host}/")).body == b"safe"


async def test_three_redirects_are_followed(serve: Serve, client: Client) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not reader.at_eof():
            path = (await head(reader)).split()[1]
            step = int(path.rsplit("/", 1)[1])
            there = respond(b"there")
            on = respond(b"", f"Location: {step + 1}", status="302 Found")
            writer.write(there if step == 3 else on)

    server = await serve(answer)
    async with client(server) as http:
        reply = await http.get(f"http://{server.host}/a/0")
        assert (reply.body, reply.url) == (b"there", f"http://{server.host}/a/3")
    message = await refusal(client(server), Rejected, f"http://{server.host}/a/-1")
    assert "redirects on and on" in message


async def test_a_token_goes_nowhere_else(serve: Serve, client: Client) -> None:
    asked: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Send from one to the other and back."""
        while True:
            lines = (await head(reader)).lower().splitlines()
            sent = [line for line in lines if line.startswith("authorization")]
            path = lines[0].split()[1]
            asked.append(" ".join([path, *sent]))
            locations = {"/1": f"http://{one.host}/2", "/2": f"http://{other.host}/3"}
            locations["/3"] = f"http://{one.host}/4"
            where = locations.get(path)
            status, headers = ("302 Found", [f"Location: {where}"]) if where else ("200 OK", [])
            writer.write(respond(b"", *headers, status=status))

    one, other = await serve(answer), await serve(answer)
    async with client(one, other) as http:
        await http.get(f"http://{one.host}/1", token=SecretStr("Secret"))
    shown = "authorization: bearer secret"
    assert asked == [f"/1 {shown}", f"/2 {shown}", "/3", "/4"]


async def test_stale_connection_is_tried_once_more(serve: Serve, client: Client) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the first request of a connection, and drop it at the second."""
        await head(reader)
        writer.write(respond(str(server.connections).encode()))
        await head(reader)
        writer.transport.abort()

    server = await serve(answer)
    async with client(server) as http:
        first, second = await http.get(server.url), await http.get(server.url)
    assert (first.body, second.body, server.connections) == (b"1", b"2", 2)


async def test_who_waits_for_a_host_that_goes_down_does_not_knock(
    serve: Serve, client: Client
) -> None:
    """It answered at first, and so all were let in."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        if server.connections == 1:
            writer.write(respond(b"", "Connection: close"))

    server = await serve(answer)
    async with client(server, host_concurrency=2) as http:
        await http.get(server.url)
        kinds = [
            type(found)
            for found in await asyncio.gather(
                *(http.get(server.url) for _ in range(40)), return_exceptions=True
            )
        ]
    assert kinds.count(Transient) == FAILURES - 1
    assert kinds.count(Deferred) == 40 - (FAILURES - 1)
    assert server.connections <= 1 + FAILURES + 2


async def test_waiting_for_others_does_not_count(serve: Serve, client: Client) -> None:
    silent, quick = await serve(silence), await serve(once(respond(b"quick")))
    async with client(silent, quick, http_deadline=1, concurrency=1) as http:
        stuck = asyncio.create_task(http.get(silent.url))
        others = [
            asyncio.create_task(http.get(silent.url)),
            asyncio.create_task(http.get(quick.url)),
        ]
        results = await asyncio.gather(stuck, *others, return_exceptions=True)
    assert [type(result).__name__ for result in results] == ["Transient", "Transient", "Reply"]


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        ("404 Not Found", Gone, "answers 404 Not Found: check the address or remove the account"),
        ("410 Gone", Gone, "answers 410 Gone: check the address or remove the account"),
        ("401 Unauthorized", Rejected, "that anyone can read"),
        ("403 Forbidden", Rejected, "that anyone can read"),
        ("400 Bad Request", Rejected, "answers 400 Bad Request: check the address"),
        ("408 Request Timeout", Transient, "answers 408 Request Timeout"),
        ("425 Too Early", Transient, "answers 425 Too Early"),
        ("500 Internal Server Error", Transient, "answers 500"),
        ("502 Bad Gateway", Transient, "answers 502 Bad Gateway"),
        ("503 Service Unavailable", Transient, "answers 503"),
        ("429 Too Many Requests", Deferred, "answers 429 Too Many Requests"),
    ],
)
async def test_statuses(
    serve: Serve, client: Client, status: str, kind: type[LastWordError], words: str
) -> None:
    server = await serve(once(respond(b"", status=status)))
    message = await refusal(client(server), kind, f"{server.url}?token=secret#fragment")
    assert words in message
    assert message.startswith(f"{server.host} answers")
    assert "secret" not in message


@pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Service Unavailable"])
@pytest.mark.parametrize(
    ("retry_after", "expected"),
    [
        ("3600", 3600),
        ("DATE", 3600),
        ("9" * 400, 86_400),
        ("Fri, 31 Dec 2199 23:59:59 GMT", 86_400),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 0),
        ("Sun Nov  6 08:49:37 1994", 0),
        ("soon", None),
        ("²", None),
    ],
)
async def test_retry_after(
    serve: Serve, client: Client, status: str, retry_after: str, expected: float | None
) -> None:
    in_an_hour = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    header = f"Retry-After: {retry_after.replace('DATE', in_an_hour)}"
    response = respond(b"", header, status=status)
    server = await serve(once(response))
    async with failing(client(server), Deferred, server.url) as caught:
        assert isinstance(caught.value, Deferred)
        until = caught.value.until
    if expected is None:
        assert until is None
    else:
        assert until is not None
        assert abs((until - datetime.now(UTC)).total_seconds() - expected) < 60
