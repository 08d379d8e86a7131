"""What a run does with one account, by one function and as a process of its own."""

import asyncio
import json
import ssl
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import SecretBytes, SecretStr

from lastword.jid import domain_of
from lastword.lingering import Lingering
from lastword.publishers.login import Login
from lastword.sealing import Seal
from models import Account

if TYPE_CHECKING:
    from demo.prosody import Prosody

LINGERING = Lingering(Seal(SecretBytes(bytes(32))), timedelta(minutes=40))


async def run(
    at: tuple[str, int],
    tls: ssl.SSLContext,
    account: Account,
    status: str | None,
    *,
    password: str,
    answer_deadline: float = 20,
) -> bool:
    """Bring an account's status up to date as `sync` does; return whether it was set."""
    login = Login(
        tls=tls,
        open_secret=lambda _: SecretStr(password),
        servers={domain_of(account.jid): f"{at[0]}:{at[1]}"},
        deadline=20,
        answer_deadline=answer_deadline,
        logins=1,
        lingering=LINGERING,
    )
    async with login.session(account) as session:
        if await session.current() == status:
            return False
        await session.set(status)
    return True


async def run_elsewhere(prosody: "Prosody", account: Account, status: str, password: str) -> None:
    """Do the same in a new process, which has ended when this returns."""
    order = {
        "at": prosody.address,
        "ca_file": str(prosody.ca_file),
        "account": account.model_dump(include={"id", "name", "source", "jid", "session_memory"}),
        "status": status,
        "password": password,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.lingering_run"),
        cwd=Path(__file__).parent.parent,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await process.communicate(json.dumps(order).encode())
    assert process.returncode == 0
    account.session_memory = json.loads(said)


def main(order: dict[str, Any]) -> str | None:
    account = Account(**order["account"])
    tls = ssl.create_default_context(cafile=order["ca_file"])
    host, port = order["at"]
    asyncio.run(run((host, port), tls, account, order["status"], password=order["password"]))
    return account.session_memory


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(json.load(sys.stdin))))
