"""What the turns of all sides come to: tables, and what must hold."""

from collections import defaultdict
from dataclasses import dataclass, field
from statistics import median

from bench.figures import Criterion, Figures, Plot, Row, Table
from bench.sides.turns import Turn
from bench.stage import A_HOST, LATENCY

_ONE_BY_ONE = "one after another"
_SIDES = (_ONE_BY_ONE, "thread runner", "Celery", "flow", "bare loop")
_RUNS = {
    "flow": "by login, all changed",
    "few": "by login, 5 % changed",
    "none": "by login, none changed",
    "operator": "by operator, all changed",
}
_SERVERS = ("Prosody", "Prefect", "Redis")
_NOTES = (
    "It takes httpx and slixmpp as they come, a TLS context for each, and records nothing.",
    "The bare loop does our work without Prefect, in one asyncio program: the limit.",
    "The thread runner is Prefect's own as it comes, with the same task, on a loop for each.",
    "Celery's worker is started for the run, as a process is for our flow.",
    "Its threads share one loop; tasks are acknowledged late, and results collected.",
    "The flow's process looks for garbage less often than the others, which are as Python is.",
    "CPU and memory are those of the process and what it starts.",
    "The servers' CPU is counted apart, Prefect's until the last task run is recorded.",
    "The chat server answers at once here: who goes one after another never waits for it.",
    "With none changed, a run still starts Python and Prefect, and has 800 task runs and fetches.",
)


@dataclass
class Found:
    """All turns.

    Attributes:
        accounts: in each run,
        some: but only so many one after another.
        rounds: turns of each side, but for the two slowest.
        turns: by side or kind of run, in the order of rounds.
        connections: to the chat server, by kind of run.
    """

    accounts: int
    some: int
    rounds: int
    turns: defaultdict[str, list[Turn]] = field(default_factory=lambda: defaultdict(list))
    connections: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))

    def figures(self) -> Figures:
        """Return what every bench returns."""
        return Figures(
            name="sides",
            question="What does it cost to track each account in Prefect?",
            how=f"{self.accounts} accounts on a private Prosody, by PEP; their posts are on"
            f" {-(-self.accounts // A_HOST)} hosts that take {LATENCY * 1000:.0f} ms to answer"
            " over plain http; all on one machine. Whole processes, from start to end."
            f" Turns of each way: {self.rounds}, of which medians are told; of the two slowest, 1.",
            tables=[self._sides(), self._runs()],
            criteria=self._criteria(),
            notes=[
                f"One after another: measured with {self.some} accounts, and scaled up.",
                *_NOTES,
            ],
        )

    def _sides(self) -> Table:
        columns = [
            *(
                "done",
                "wall, s",
                "times the bare loop",
                "CPU, s",
                "CPU an account, ms",
                "memory, MB",
            ),
            *(f"{name}, CPU s" for name in _SERVERS),
        ]
        rows = []
        for name in _SIDES:
            turn, scale = Turn.median(self.turns[name]), self._scale(name)
            cpu = turn.cpu * scale
            ours = [turn.done, turn.seconds * scale, self._ratio(name, "bare loop"), cpu]
            servers = [turn.servers[it] * scale for it in _SERVERS]
            rows.append(Row(name, [*ours, cpu / self.accounts * 1000, turn.memory, *servers]))
        title = f"{self.accounts} accounts, all changed"
        plots = [
            Plot(f"{title}: wall time, s", ["wall, s"]),
            Plot(f"{title}: CPU of the process, s", ["CPU, s"]),
            Plot(f"{title}: memory at most, MB", ["memory, MB"]),
        ]
        return Table("way", columns, rows, plots)

    def _runs(self) -> Table:
        columns = [
            *("wall, s", "CPU, s", "memory, MB", "XMPP connections", "recorded after, s"),
            *("Prosody, CPU s", "Prefect, CPU s"),
        ]
        rows = []
        for name, words in _RUNS.items():
            turn, counted = Turn.median(self.turns[name]), self.connections.get(name)
            ours = [turn.seconds, turn.cpu, turn.memory, max(counted) if counted else None]
            servers = [turn.servers["Prosody"], turn.servers["Prefect"]]
            rows.append(Row(words, [*ours, turn.recorded, *servers]))
        plot = Plot(f"One run of the flow over {self.accounts} accounts: wall time, s", ["wall, s"])
        return Table("run of the flow", columns, rows, [plot])

    def _criteria(self) -> list[Criterion]:
        ratio, unit = self._ratio, "times"
        few = ratio("few", "flow")
        most = max(self.connections["none"], default=None)
        undone = sum(it.undone for name in _RUNS for it in self.turns[name])
        return [
            Criterion("accounts that the flow left undone, in all runs", undone, 0),
            Criterion("wall time, flow to bare loop", ratio("flow", "bare loop"), 1.6, unit),
            Criterion(
                "wall time, one after another to flow",
                *(ratio(_ONE_BY_ONE, "flow"), 20, unit),
                at_least=True,
            ),
            Criterion("wall time, flow to Celery", ratio("flow", "Celery"), 1, unit),
            Criterion(
                "CPU, Prefect's thread runner to flow",
                *(ratio("thread runner", "flow", "cpu"), 5, unit),
                at_least=True,
            ),
            Criterion(
                "memory, Prefect's thread runner to flow",
                *(ratio("thread runner", "flow", "memory"), 5, unit),
                at_least=True,
            ),
            Criterion("wall time, 5 % changed to all changed", few, 0.4, "%"),
            Criterion("XMPP connections with none changed", most, 0),
            Criterion(
                "wall time, login to operator", ratio("flow", "operator"), 3, unit, at_least=True
            ),
        ]

    def _scale(self, name: str) -> float:
        return self.accounts / self.some if name == _ONE_BY_ONE else 1

    def _ratio(self, name: str, other: str, of: str = "seconds") -> float:
        """Return the median of each round's ratio, for neighbours in time share what else goes on.

        A side that had one turn only is compared with the median.
        """
        ours = [getattr(it, of) * self._scale(name) for it in self.turns[name]]
        theirs = [getattr(it, of) * self._scale(other) for it in self.turns[other]]
        if len(ours) != len(theirs):
            return float(median(ours) / median(theirs))
        return float(median(one / another for one, another in zip(ours, theirs, strict=True)))
