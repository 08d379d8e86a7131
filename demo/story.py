"""The story: a first run, what the contact sees, a changed post, a second run."""

from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from demo.contact import Seen
from demo.people import Person
from demo.prefect_api import PrefectAPI, State
from demo.show import Show
from demo.stage import Stage, free_port

DEPLOYMENT = "sync-accounts/every-30-minutes"
CARRIER = "shared_status"
ROWS = 30
START = 120.0
RUN = 240.0
NEWS = "Breaking: this post was written between two runs"


class Story:
    """One telling on one stage."""

    def __init__(
        self, stage: Stage, people: Sequence[Person], show: Show, *, sabotage: bool
    ) -> None:
        self._stage = stage
        self._people = people
        self._show = show
        self._sabotage = sabotage
        self._well = [person for person in people if not person.broken]
        self._broken = [person for person in people if person.broken]
        self._api: PrefectAPI

    @asynccontextmanager
    async def everything_up(self) -> AsyncIterator[str]:
        """Run `lastword up` for the length of the block; yield the UI's address."""
        port = free_port()
        up = self._stage.lastword.up(port, START)
        with self._show.step("Starting Prefect's server and the worker: lastword up"):
            await up.__aenter__()
        try:
            async with PrefectAPI(f"http://127.0.0.1:{port}/api") as api:
                self._api = api
                schedules = (await api.deployment(DEPLOYMENT))["schedules"]
                intervals = [schedule["schedule"].get("interval") for schedule in schedules]
                self._show.expect(intervals == [1800.0], f"the schedule is 1800 s: {intervals}")
                await api.pause(DEPLOYMENT)  # its half hour may come at any moment
                yield f"http://127.0.0.1:{port}"
        finally:
            await up.__aexit__(None, None, None)

    async def first_run(self) -> None:
        """Run over everybody; show what the contact sees, and why three failed."""
        flow_run, task_runs = await self._run("First run", len(self._people))
        names = Counter(state.name for state in task_runs.values())
        self._show.counts(names)
        self._show.expect(names["Published"] == len(self._well), "every healthy account Published")
        self._show.expect(names["Failed"] == len(self._broken), "every broken account Failed")
        artifacts = await self._api.artifacts(flow_run)
        self._show.expect(
            {"sync-progress", "sync-summary", "sync-failures"} <= artifacts.keys(),
            "the run has its progress, summary and failures as artifacts",
        )
        if self._sabotage:
            self._stage.site.change_post(self._well[0].name, "Nobody has synced this")
        await self._show_contact("What a contact sees, after the run has gone", task_runs)
        self._show_failures(task_runs)

    async def second_run(self) -> None:
        """Change one post and run again: one is Published, the rest are not touched."""
        changed = self._well[-1]
        self._stage.site.change_post(changed.name, NEWS)
        # The refused password waits for its owner and the gone feed for tomorrow.
        silent = [person for person in self._broken if person.silent]
        due = len(self._well) + len(silent)
        _, task_runs = await self._run(f"Second run, after {changed.name} wrote a new post", due)
        names = Counter(state.name for state in task_runs.values())
        self._show.counts(names)
        self._show.expect(names["Published"] == 1, "one account Published")
        self._show.expect(
            names["Unchanged"] == len(self._well) - 1, "all other healthy accounts Unchanged"
        )
        self._show.expect(names["Failed"] == len(silent), "the silent host Failed again")
        seen = await self._contact_sees([changed.name])
        text = seen[changed.name].status
        self._show.say(f"{changed.name} now: {text}")
        self._show.expect(text == NEWS, f"the contact sees {changed.name}'s new post")
        await self._api.resume(DEPLOYMENT)

    def end(self, ui: str) -> bool:
        """Say how it went; return whether an expectation was broken."""
        broken = self._show.broken
        if broken:
            self._show.heading(f"{len(broken)} expectations do not hold:")
            for text in broken:
                self._show.say(f"  {text}")
        else:
            self._show.heading("Everything is as it should be.")
        self._show.say(f"Prefect's UI: {ui}")
        return bool(broken)

    async def _run(self, title: str, due: int) -> tuple[str, dict[str, State]]:
        self._show.heading(title)
        with self._show.step(f"Deployment {DEPLOYMENT} over {due} accounts"):
            flow_run = await self._api.start(DEPLOYMENT)
            state = await self._api.end(flow_run, RUN)
        self._show.say(f"{state.name}: {state.message}")
        with self._show.step("One task run per account in Prefect's API"):
            # Two more: the tasks that choose the accounts and report the run.
            recorded = await self._api.recorded(flow_run, due + 2, RUN)
        prefix = "sync "
        mine = {
            name.removeprefix(prefix): state
            for name, state in recorded.items()
            if name.startswith(prefix)
        }
        self._show.expect(len(mine) == due, f"{due} task runs, named after their accounts")
        return flow_run, mine

    async def _contact_sees(self, names: Sequence[str]) -> dict[str, Seen]:
        async with self._stage.contact() as contact:
            return dict(await contact.seen(names, 60, lambda seen: seen.status is not None))

    async def _show_contact(self, title: str, task_runs: Mapping[str, State]) -> None:
        with self._show.step("Logging in as a contact of all of them"):
            seen = await self._contact_sees([person.name for person in self._well])
        self._show.heading(title)
        rows = []
        for person in self._well:
            text = seen[person.name].status if person.name in seen else None
            expected = self._stage.site.newest(person.name)
            self._show.expect(
                text == expected, f"{person.name}: expected “{expected}”, the contact sees “{text}”"
            )
            carrier = task_runs[person.name].message.removeprefix("by ")
            self._show.expect(
                carrier == CARRIER, f"{person.name}: carried by {CARRIER}, not “{carrier}”"
            )
            rows.append((person.name, person.kind, person.publisher, carrier, text or ""))
        columns = ("Person", "Writes on", "Set by", "Carried by", "Status beside the name")
        self._show.table(columns, rows, ROWS)

    def _show_failures(self, task_runs: dict[str, State]) -> None:
        self._show.heading("Three are broken on purpose")
        rows = []
        for person in self._broken:
            state = task_runs.get(person.name, State("", "", ""))
            self._show.expect(
                person.symptom in state.message,
                f"{person.name} fails with “{person.symptom}”, not “{state.message}”",
            )
            rows.append((person.name, person.ailment, state.message))
        self._show.table(("Person", "What we broke", "What the task run says"), rows, ROWS)
