"""The private Prosody and the witness that demo and tests rely on."""

import socket
import ssl
from pathlib import Path
from time import monotonic

import pytest

import demo.prosody
from demo.prosody import Prosody
from demo.prosody_storage import lua
from tests.fixtures_xmpp import CONTACT, account, login_to, tls_for, witness
from tests.xmpp_peer import PASSWORD


def test_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Prosody(users={"alice": PASSWORD}) as prosody:
        assert prosody.ca_file.read_text().startswith("-----BEGIN CERTIFICATE")
        address = prosody.address
        process = prosody._process
        assert process is not None
        socket.create_connection(address, timeout=5).close()
        assert len(list(tmp_path.iterdir())) == 1
    assert process.returncode is not None
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, timeout=5)
    prosody.stop()


def test_two_at_once() -> None:
    with Prosody() as one, Prosody() as other:
        assert one.port != other.port


def test_port_that_somebody_took(monkeypatch: pytest.MonkeyPatch) -> None:
    free_port = demo.prosody.free_port
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = iter([taken.getsockname()[1]])
        monkeypatch.setattr(demo.prosody, "free_port", lambda: next(ports, None) or free_port())
        monkeypatch.setattr(demo.prosody, "_START", 3.0)
        with Prosody() as prosody:
            assert prosody.port != taken.getsockname()[1]


def test_program_that_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RuntimeError, match="scripts/install-debian prosody"), Prosody():
        pass


def test_configuration_that_is_wrong() -> None:
    with (
        pytest.raises(RuntimeError, match="Prosody did not start"),
        Prosody(settings="this is no Lua"),
    ):
        pass


def test_certificate_for_another_server() -> None:
    prosody = Prosody()
    trusting = ssl.create_default_context()
    prosody.ca.configure_trust(trusting)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    prosody.certificate("localhost").configure_cert(serving)
    here, there = socket.socketpair()
    outgoing, incoming = ssl.MemoryBIO(), ssl.MemoryBIO()
    here.close()
    there.close()
    client = trusting.wrap_bio(incoming, outgoing, server_hostname="localhost")
    server = serving.wrap_bio(outgoing, incoming, server_side=True)
    for _ in range(4):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    assert client.version() is not None


def test_lua() -> None:
    assert lua('a "b" \\ é\n') == '"a \\034b\\034 \\092 \\195\\169\\010"'
    assert lua({"x": 1, False: {"y": True}}) == '{["x"]=1;[false]={["y"]=true}}'


async def test_eight_hundred_people() -> None:
    """They are there within seconds, and so is what the contact sees of them."""
    people = [f"p{number}" for number in range(800)]
    began = monotonic()
    with Prosody(
        users={**dict.fromkeys(people, PASSWORD), CONTACT: PASSWORD}, contacts={CONTACT: people}
    ) as prosody:
        assert monotonic() - began < 15
        login = login_to(prosody.address, tls_for(prosody))
        async with login.session(account("p799")) as session:
            await session.set("Out for tea")
        async with witness(prosody) as contact:
            seen = await contact.seen(people, deadline=30)
        assert seen.keys() == set(people)
        assert contact.people.keys() == set(people)
        assert [name for name in people if seen[name].activity] == ["p799"]


async def test_passwords_and_names_of_any_script() -> None:
    users = {"zoë": "pässword “quoted” \\ 日本", CONTACT: PASSWORD}
    with Prosody(users=users, contacts={CONTACT: ["zoë"]}) as prosody:
        login = login_to(prosody.address, tls_for(prosody), users["zoë"])
        async with login.session(account("zoë")) as session:
            await session.set("Out for tea")
        async with witness(prosody) as contact:
            assert (await contact.seen(["zoë"], deadline=10))["zoë"].activity == "Out for tea"


async def test_contact_who_cannot_log_in(prosody: Prosody) -> None:
    with pytest.raises(RuntimeError, match="cannot log in"):
        async with witness(prosody, "nobody"):
            pass


async def test_contact_says_what_it_sees_instead(prosody: Prosody) -> None:
    async with witness(prosody) as contact:
        with pytest.raises(TimeoutError, match="nobody is seen as Seen"):
            await contact.until("nobody", lambda seen: bool(seen.activity), deadline=0.1)
