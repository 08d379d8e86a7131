"""The story: a world is made, chaos comes over it, one run in peace, and the judge looks.

Import it when Prefect's environment is set: Prefect reads that when it is first imported.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from random import Random
from time import monotonic, time

from pydantic import SecretStr
from sqlmodel import select

from bench.chaos import judging
from bench.chaos.conducting import Conductor, PatientAPI, is_at_work
from bench.chaos.crowd import healthy
from bench.chaos.faults import LAST, Fault, dice
from bench.chaos.telling import Diary
from bench.chaos.world import World, world
from demo.contact import Seen
from deployments import profile
from deployments.deploying import deploy
from deployments.server import make_work_pool, wait_until_it_answers
from lastword import accounts
from models import Account, Health

START = 120.0
"""Seconds for Prefect's server to answer."""
LOOKS = 120.0
"""Seconds for the contact to be told of everybody."""
TICK = 0.5
"""Seconds from one look at the runs to the next."""
POSTS = 10
"""New posts a second."""


@dataclass
class Story:
    """One seed's.

    Attributes:
        diary: told of all that happens.
        seed: decides who is what, what dies when, and who writes.
        accounts, workers: how many.
        faults: how many there are.
        settings: environment variables for Last Word.
        troubles: what is not as it must be, once it is over.
    """

    diary: Diary
    seed: int
    accounts: int
    workers: int
    faults: int
    settings: dict[str, str] = field(default_factory=dict)
    troubles: list[str] = field(default_factory=list)
    _patience: float = 0.0
    """Seconds without a fault at most, also while no run is at work."""

    async def live(self, directory: Path) -> None:
        """Live through it, with all files in this directory."""
        luck = self._luck("crowd")
        async with world(directory, self.accounts, self.workers, luck, self.settings) as made:
            self.diary.say(f"{self.accounts} accounts, {self.workers} workers: Prefect starts")
            await self._start(made)
            async with PatientAPI(made.api) as api:
                await api.pause(profile.DEPLOYMENT)
                conductor = Conductor(api, self.diary)
                self.diary.say(f"chaos begins: {self.faults} faults")
                await self._chaos(made, conductor)
                await self._peace(made, conductor)
                await self._judge(made, conductor)

    def _luck(self, what: str) -> Random:
        return Random(f"{self.seed} {what}")  # noqa: S311 (no secret)

    async def _start(self, made: World) -> None:
        began = monotonic()
        made.server.start()
        await wait_until_it_answers(made.api, START)
        await make_work_pool(made.api)
        for worker in made.workers:
            worker.start()
        environment = profile.client_environment(made.lastword.data_dir / "prefect", made.api)
        await deploy(environment, made.logs / "deploy.log")
        self._patience = monotonic() - began

    async def _chaos(self, made: World, conductor: Conductor) -> None:
        over = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(conductor.go_on(over))
            writing = tasks.create_task(self._write(made))
            supervising = tasks.create_task(self._supervise(made))
            for pause, fault, luck in islice(dice(f"{self.seed} faults"), self.faults):
                await self._wait(made, pause)
                await self._disturb(made, fault, luck)
            over.set()
            await self._disturb(made, LAST, self._luck("last"))
            writing.cancel()
            supervising.cancel()

    async def _wait(self, made: World, seconds: float) -> None:
        """Wait so many seconds in which a run is at work, but not for ever.

        Else all would die at their start, on a machine that is slow to start them.
        """
        end, left = monotonic() + self._patience, seconds
        while left > 0 and monotonic() < end:
            began = monotonic()
            await asyncio.sleep(TICK)
            if await is_at_work(made.database):
                left -= monotonic() - began

    async def _disturb(self, made: World, fault: Fault, luck: Random) -> None:
        began = time()
        self.diary.happened(fault.words, await fault.happens(made, luck), began)

    async def _write(self, made: World) -> None:
        """Let people write all the time, also those whose accounts cannot work."""
        luck = self._luck("posts")
        while True:
            luck.choice(made.people).posts += 1
            await asyncio.sleep(1 / POSTS)

    async def _supervise(self, made: World) -> None:
        """Start again what ended by itself, as systemd does."""
        while True:
            for part in (made.server, *made.workers):
                if part.has_ended:
                    self.diary.say(f"{part.name} has ended by itself: started again", "red")
                    part.start()
            await asyncio.sleep(1)

    async def _peace(self, made: World, conductor: Conductor) -> None:
        """Run once over all, and once more over those whose owners were asked to act and did."""
        written = sum(person.posts for person in made.people) - len(made.people)
        self.diary.say(f"peace; {written} posts were written meanwhile")
        await conductor.run(which="all")
        if names := await self._owners_act(made):
            self.diary.say(f"{len(names)} owners gave their passwords again")
            await conductor.run(accounts=names)

    async def _owners_act(self, made: World) -> list[str]:
        """Let owners do what they were asked to; return their accounts' names."""
        async with made.database.session() as session:
            waiting = select(Account.name).where(Account.health == Health.NEEDS_OWNER)
            asked = set(await session.exec(waiting))
        names = [it.name for it in healthy(made.people) if it.name in asked]
        for name in names:
            password = SecretStr(made.prosody.passwords[name])
            await accounts.edit(made.database, name, {}, password=password, keyring=made.keyring)
        return names

    async def _judge(self, made: World, conductor: Conductor) -> None:
        people, faults = made.people, self.diary.done
        tried = made.prosody.tried()
        seen = await self._contact_sees(made)
        self.troubles += await judging.troubles_of_ledger(made.database, faults)
        self.troubles += judging.troubles_of_logins(people, tried, faults)
        self.troubles += await judging.troubles_of_accounts(made.database, people)
        self.troubles += judging.troubles_of_view(people, seen)
        attempts = judging.attempts(people, tried)
        said = ", ".join(f"{number} {times} times" for times, number in sorted(attempts.items()))
        well = len(healthy(people))
        right = sum(seen[it.name].activity == it.status for it in healthy(people))
        self.diary.say(f"wrong passwords tried: {said}")
        self.diary.say(f"the contact sees the newest post of {right} of {well} healthy accounts")
        ended = ", ".join(f"{number} {name}" for name, number in sorted(conductor.ended.items()))
        self.diary.say(f"runs by Prefect: {ended}")
        self.diary.say(f"runs in our tables: {await judging.runs_seen(made.database)}")

    async def _contact_sees(self, made: World) -> Mapping[str, Seen]:
        names = [person.name for person in made.people]
        async with made.contact() as contact:
            return await contact.seen(names, LOOKS, lambda seen: seen.activity is not None)
