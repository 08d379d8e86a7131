"""What TLS says of the protocol within (ALPN): chat servers hear of XMPP, whatever was fetched."""

import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme
from pydantic import SecretStr

from lastword import accounts
from lastword.publishers.notifier import Notifier
from lastword.secrets import Keyring
from lastword.services import open_services
from lastword.settings import Settings
from lastword.wiring import Wiring
from models.database import Database
from tests.fixtures_http import Serve, once, respond
from tests.fixtures_xmpp import StartServer
from tests.xmpp_peer import DOMAIN, JID, PASSWORD, Peer


def both(context: ssl.SSLContext) -> ssl.SSLContext:
    """Let a server take HTTP, if it is named at all, before XMPP."""
    context.set_alpn_protocols(["http/1.1", "xmpp-client"])
    return context


@pytest.mark.parametrize("direct_tls", [True, False])
async def test_xmpp_is_named_after_a_fetch(
    serve: Serve,
    xmpp_server: StartServer,
    authority: trustme.CA,
    tls_for: Callable[..., ssl.SSLContext],
    database: Database,
    tmp_path: Path,
    *,
    direct_tls: bool,
) -> None:
    named: list[str | None] = []

    async def script(peer: Peer) -> None:
        await peer.in_session(direct_tls=direct_tls)
        named.append(peer.writer.get_extra_info("ssl_object").selected_alpn_protocol())

    web = await serve(once(respond(b"posts")), tls_for("127.0.0.1"))
    chat = await xmpp_server(script, both(tls_for(DOMAIN)), direct_tls=direct_tls)
    host, port = chat.address
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    settings = Settings(
        data_dir=tmp_path,
        database_url=SecretStr(database.url.render_as_string(hide_password=False)),
        ca_file=tmp_path / "ca.pem",
        allow_hosts=frozenset({web.host}),
        xmpp_servers={DOMAIN: f"{'xmpps://' if direct_tls else ''}{host}:{port}"},
        notifier_jid=JID,
        notifier_password=SecretStr(PASSWORD),
    )
    Keyring.create(settings.key_path)
    keyring = Keyring.load(settings)
    await keyring.adopt(database)
    wiring = Wiring("alice", "feed:https://blog.example/", JID)
    password = SecretStr(PASSWORD)
    alice = await accounts.add(database, wiring, password=password, keyring=keyring)
    async with open_services(settings) as services:
        assert (await services.http.get(f"https://{web.host}/")).body == b"posts"
        async with services.publishers["login"].session(alice):
            pass
        assert isinstance(services.notifier, Notifier)
        async with services.notifier.session():
            pass
    await chat.over()
    assert named == ["xmpp-client", "xmpp-client"]
