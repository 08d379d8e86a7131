"""A turn of each side over everybody on the stage: something changes, it runs, all is checked."""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

from bench.stage import DOMAIN, Stage
from bench.whole import measured
from flows.syncing import WINDOW
from tasks.options import RETRIES


@dataclass(frozen=True, slots=True)
class Turn:
    """What one run used.

    Attributes:
        seconds, cpu, memory: see `bench.whole.Used`.
        done: accounts that were brought up to date, or were already.
        undone: the others, which were not reached in time.
        servers: seconds of CPU of each server, until Prefect has recorded the last task run.
        recorded: seconds from the end of the run until then.
    """

    seconds: float
    cpu: float
    memory: float
    done: int
    undone: int
    servers: Mapping[str, float]
    recorded: float | None = None

    @classmethod
    def median(cls, turns: list["Turn"]) -> "Turn":
        """Return the medians, and the worst of what was done."""
        recorded = [it.recorded for it in turns if it.recorded is not None]
        return cls(
            seconds=median(it.seconds for it in turns),
            cpu=median(it.cpu for it in turns),
            memory=median(it.memory for it in turns),
            done=min(it.done for it in turns),
            undone=max(it.undone for it in turns),
            servers={name: median(it.servers[name] for it in turns) for name in turns[0].servers},
            recorded=median(recorded) if recorded else None,
        )


class Sides:
    """The sides, each by the same means as the others.

    Args:
        scene: where they run.
        redis: URL of the server that Celery uses.
    """

    def __init__(self, scene: Stage, redis: str) -> None:
        self._scene = scene
        self._redis = redis

    def one_after_another(self, number: int) -> Turn:
        """Run over so many people only."""
        scene = self._scene
        people = [
            {
                "url": scene.posts.sources[name].removeprefix("feed:"),
                "jid": f"{name}@{DOMAIN}",
                "password": scene.passwords[name],
            }
            for name in scene.names[:number]
        ]
        server = {"address": scene.chat, "ca_file": str(scene.prosody.ca_file)}
        scene.change()
        return self._turn("one_after_another", {"people": people, **server}, people=number)

    def bare_loop(self) -> Turn:
        self._scene.change()
        return self._turn("bare_loop", {"window": WINDOW, "retries": RETRIES})

    def celery(self, pool: str, window: int) -> Turn:
        """Run with one of Celery's pools, so many at once."""
        self._scene.change()
        told = {"BENCH_REDIS": self._redis, "BENCH_POOL": pool, "BENCH_RETRIES": str(RETRIES)}
        return self._turn("celery", {"window": window}, more=told)

    def thread_runner(self, threads: int | None) -> Turn:
        """Run with so many threads at most; None: as Prefect has it by itself."""
        self._scene.change()
        return self._turn("thread_runner", {"threads": threads})

    def flow(
        self,
        publisher: str = "login",
        *,
        changed: float = 1,
        more: Mapping[str, str] | None = None,
    ) -> Turn:
        """Run the flow after a share of the people has written something new.

        Args:
            publisher: whose accounts.
            changed: the share.
            more: variables for it.
        """
        self._scene.change(changed)
        return self._turn("flow", {}, publisher=publisher, more=more)

    def _turn(
        self,
        side: str,
        told: object,
        *,
        publisher: str = "login",
        more: Mapping[str, str] | None = None,
        people: int | None = None,
    ) -> Turn:
        scene, recorded = self._scene, None
        before = scene.cpu()
        used = measured(f"bench.sides.{side}", told, {**scene.of(publisher), **(more or {})})
        outcomes = used.said["outcomes"]
        done = outcomes.get("Published", 0) + outcomes.get("Unchanged", 0)
        if flow_run_id := used.said.get("flow_run_id"):
            recorded = scene.recorded(flow_run_id, sum(outcomes.values()))
        servers = {name: cpu - before[name] for name, cpu in scene.cpu().items()}
        return Turn(
            used.seconds,
            used.cpu,
            used.memory,
            done,
            (people or len(scene.names)) - done,
            servers,
            recorded,
        )
