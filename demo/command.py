"""The command `lastword` as people type it, on the demo's own data directory."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

COMMAND = Path(sys.executable).with_name("lastword")


class CommandFailed(Exception):
    """A command ended with an exit code other than 0."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a command printed, and its exit code."""

    code: int
    output: str
    errors: str


class LastWord:
    """`lastword …` with an environment of its own: nothing of the user's is touched.

    Args:
        data_dir: the data directory.
        settings: further environment variables.
    """

    def __init__(self, data_dir: Path, settings: Mapping[str, str]) -> None:
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("LASTWORD_", "PREFECT_"))
        }
        self.data_dir = data_dir
        ours = {"LASTWORD_DATA_DIR": str(data_dir), "LASTWORD_HEALTH_PORT": "0"}
        self.environment = {**inherited, **ours, **settings}

    async def __call__(self, *arguments: str, stdin: str = "") -> str:
        """Run a command and return what it printed.

        Raises:
            CommandFailed: its exit code was not 0; the message is what it said.
        """
        said = await self.ask(*arguments, stdin=stdin)
        if said.code:
            raise CommandFailed(f"lastword {arguments[0]}: exit {said.code}: {said.errors.strip()}")
        return said.output

    async def ask(self, *arguments: str, stdin: str = "") -> Said:
        """Run a command to its end, whatever that is."""
        process = await self.start(*arguments)
        output, errors = await process.communicate(stdin.encode())
        return Said(process.returncode or 0, output.decode(), errors.decode())

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        """Start a command, with pipes to it and from it."""
        return await asyncio.create_subprocess_exec(
            *(str(COMMAND), *arguments),
            env=self.environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    @asynccontextmanager
    async def up(
        self, port: int, deadline: float, *options: str, server: str | None = None
    ) -> AsyncIterator[asyncio.subprocess.Process]:
        """Run `lastword up` for the length of the block; it is up when the block begins.

        Args:
            port: for Prefect's server.
            deadline: seconds until it says that it is up.
            options: further ones.
            server: API address of a server that runs already, instead of one at the port.
        """
        where = ("--server", server) if server else ("--port", str(port))
        process = await asyncio.create_subprocess_exec(
            *(str(COMMAND), "up", *where, *options),
            env=self.environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            # Ctrl-C goes to the whole foreground group: the demo ends it in its own time.
            start_new_session=True,
        )
        if process.stdout is None:  # pragma: no cover: a pipe was asked for
            raise AssertionError
        try:
            async with asyncio.timeout(deadline):
                while line := await process.stdout.readline():
                    if b"is up" in line:
                        break
                else:
                    raise CommandFailed("lastword up: ended at its start")
            reader = asyncio.create_task(_drain(process.stdout))
            yield process
            reader.cancel()
        finally:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            await process.wait()


async def _drain(stream: asyncio.StreamReader) -> None:
    while await stream.readline():
        pass
