"""The alerts, against a real Prefect server, a worker and a webhook on loopback: `make alerts`.

A healthy day sends nothing; a run that fails, one that dies, and silence send one message each.
With shortened times: a run that shows no life is dead after 45 s instead of 9 minutes, and 20 s
without a run are silence instead of 45 minutes; both are waited for at once. Exit code 0 only if
all is as it should be.
"""

import asyncio
import json
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from time import monotonic

from demo.command import LastWord
from demo.people import Person, people
from demo.prefect_api import PrefectAPI
from demo.receiver import Message, Receiver, receiving
from demo.show import Show
from demo.stage import Stage, free_port, stage
from deployments.server import wait_until_it_answers
from deployments.temporary import temporary_server

DEPLOYMENT = "sync-accounts/every-30-minutes"
RUNS = 48
ALERT = 30.0
"""Seconds until a failed run must have told so."""
MESSAGES = 5
"""The sample, the run that failed, the one that died, the silence, and its end."""
SILENCE = 20
ZOMBIE = 45
QUIET = 3.0
"""Seconds to wait for a message that must not come: those that come need less than one."""


class Story:
    """One telling."""

    def __init__(self, show: Show, scene: Stage, receiver: Receiver, api: str) -> None:
        self._show = show
        self._scene = scene
        self._receiver = receiver
        self._api_url = api
        self._lastword: LastWord = scene.lastword

    async def tell(self, crowd: list[Person], silent: str) -> None:
        """Tell all of it."""
        await self._lastword("accounts", "pause", silent)
        async with PrefectAPI(self._api_url) as api:
            with self._show.step("Starting the worker: lastword up --server …"):
                up = self._lastword.up(free_port(), 120, server=self._api_url)
                process = await up.__aenter__()
                await api.pause(DEPLOYMENT)  # its half hour may come at any moment
            await self._begin()
            await self._a_healthy_day(api)
            await self._a_failing_run(api, crowd)
            await self._lastword("accounts", "resume", silent)
            await self._a_dying_run_and_silence(api, process)
            await up.__aexit__(None, None, None)
            await self._lastword("accounts", "pause", silent)
            async with self._lastword.up(free_port(), 120, server=self._api_url):
                await api.pause(DEPLOYMENT)
                await self._runs_again(api)
        await self._remove()

    async def _install(self) -> None:
        await self._lastword("alerts", "install", "--zombie-after", f"{ZOMBIE}s")

    async def _begin(self) -> None:
        with self._show.step("lastword alerts install, twice"):
            for _ in range(2):
                await self._install()
        names = [
            one["name"] for one in json.loads(await self._lastword("alerts", "list", "--json"))
        ]
        self._show.table(("Alert",), [(name,) for name in names], 20)
        self._show.expect(len(names) == len(set(names)) > 0, "installing twice leaves one of each")
        with self._show.step("lastword alerts test"):
            await self._lastword("alerts", "test")
        await self._expect("A test", ALERT)

    async def _a_healthy_day(self, api: PrefectAPI) -> None:
        with self._show.step(f"A healthy day: {RUNS} runs, the last by the worker"):
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "demo.many_runs", str(RUNS - 1)),
                env=self._lastword.environment | {"PREFECT_LOGGING_LEVEL": "WARNING"},
                stdout=asyncio.subprocess.PIPE,
            )
            said = (await process.communicate())[0].decode().strip()
            state = await api.end(await api.start(DEPLOYMENT), 120)
            self._show.expect(state.name == "Completed", f"a healthy run: {state}")
            await asyncio.sleep(QUIET)
        self._show.expect(said == f"{RUNS - 1} Completed", f"{RUNS - 1} runs: {said}")
        self._show.expect(len(self._receiver.messages) == 1, "a healthy day sends nothing")
        pings = ["/start", ""] * RUNS
        self._show.expect(self._receiver.pings == pings, "the switch hears of every run")

    async def _a_failing_run(self, api: PrefectAPI, crowd: list[Person]) -> None:
        for person in crowd[:3]:
            person.gone = True
        with self._show.step("A run in which more than 20 % of the accounts fail"):
            state = await api.end(await api.start(DEPLOYMENT), 120)
            ended = monotonic()
            message = await self._expect("run Failed", ALERT)
        self._show.expect(state.name == "Failed", f"the run is Failed: {state}")
        if message:
            self._show.say(f"Told {message.at - ended:+.1f} s after Prefect knew")
            self._show.expect("/runs/flow-run/" in message.body, "the message links to the run")
        pings = self._receiver.pings[2 * RUNS :]
        self._show.expect(pings == ["/start", "/fail"], f"the switch hears of no success: {pings}")

    async def _a_dying_run_and_silence(
        self, api: PrefectAPI, up: asyncio.subprocess.Process
    ) -> None:
        # Not before: a busy machine takes long from one run to the next. And not later: installing
        # begins the watch for signs of life anew. From now on no run ends.
        self._lastword.environment["LASTWORD_NO_RUN_AFTER"] = f"{SILENCE}s"
        await self._install()
        flow_run = await api.start(DEPLOYMENT, {"which": "all"})
        async with asyncio.timeout(60):
            while not any(
                one.name == "Running" for one in (await api.task_runs(flow_run)).values()
            ):
                await asyncio.sleep(0.2)
        # The worker first: it would tell of a run of its own that ended.
        victims = [
            *_processes(self._scene.directory, b"worker\0start"),
            *_processes(self._scene.directory, flow_run.encode()),
            up.pid,
        ]
        for victim in dict.fromkeys(victims):
            with suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
        killed = monotonic()
        self._show.say(f"Worker and run killed with -9 ({len(victims)} processes)")
        with self._show.step(f"Nothing shows life for {ZOMBIE} s"):
            state = await api.end(flow_run, ZOMBIE + 60)
            message = await self._expect("A run Crashed", ALERT)
        self._show.expect(state.type == "CRASHED", f"the run is Crashed: {state}")
        if message:
            self._show.say(f"Told {message.at - killed:.0f} s after it died")
        with self._show.step(f"No run has ended for {SILENCE} s"):
            await self._expect("No run has ended", SILENCE + ALERT)

    async def _runs_again(self, api: PrefectAPI) -> None:
        with self._show.step("A run again"):
            await api.end(await api.start(DEPLOYMENT), 120)
            await self._expect("Runs complete again", ALERT)
            await asyncio.sleep(QUIET)
        said = [one.subject for one in self._receiver.messages]
        self._show.expect(len(said) == MESSAGES, f"one message for each cause: {said}")

    async def _remove(self) -> None:
        await self._lastword("alerts", "remove", "--yes")
        left = json.loads(await self._lastword("alerts", "list", "--json"))
        self._show.expect(left == [], f"nothing is left: {left}")

    async def _expect(self, words: str, deadline: float) -> Message | None:
        """Expect a message about something, within so many seconds, and show it."""
        try:
            message = await self._receiver.message(words, deadline)
        except TimeoutError:
            self._show.expect(False, f"no message about “{words}” within {deadline:g} s")
            return None
        self._show.heading(message.subject)
        self._show.say(message.body)
        return message


def _processes(directory: Path, text: bytes) -> list[int]:
    """Return the ids of this stage's processes that have a text in command or environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            known = (process / "environ").read_bytes()
            if str(directory).encode() in known and text in (
                (process / "cmdline").read_bytes() + known
            ):
                found.append(int(process.name))
    return found


async def main() -> int:
    """Tell the story; return the exit code."""
    show = Show()
    crowd = people(7)
    silent = next(person for person in crowd if person.silent)
    for person in crowd:
        person.gone = person.wrong_password = False
    async with receiving() as receiver:
        settings = {
            "LASTWORD_ALERTS_URL": receiver.webhook,
            "LASTWORD_PING_URL": receiver.switch,
            "LASTWORD_HTTP_DEADLINE": "60",
            "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
        }
        async with stage(crowd, settings) as scene:
            with temporary_server(scene.lastword.data_dir) as api:
                with show.step("Starting Prefect's server"):
                    await wait_until_it_answers(api, 120)
                scene.lastword.environment["PREFECT_API_URL"] = api
                await Story(show, scene, receiver, api).tell(crowd, silent.name)
    if not show.broken:
        show.heading("Everything is as it should be.")
    return 1 if show.broken else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
