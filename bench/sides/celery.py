"""Celery with the same work: a worker, and the process that sends tasks and collects results."""

import asyncio
import json
import subprocess
import sys

from celery import group

from bench.sides.celery_app import POOL, app, sync
from bench.sides.ends import begin, end
from deployments.processes import end_with_parent

_PATIENCE = 300.0


def run(window: int) -> dict[str, int]:
    """Run over all accounts that are due; return how many ended in which way.

    Args:
        window: tasks under way at once.
    """
    options = ["--pool", POOL, "--concurrency", str(window), "--loglevel", "error"]
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    command = [sys.executable, "-m", "celery", "-A", "bench.sides.celery_app", "worker"]
    with subprocess.Popen(  # noqa: S603 (our own interpreter)
        [*command, *options, *quiet],
        stdout=sys.stderr,
        preexec_fn=end_with_parent,  # noqa: PLW1509 (one system call, which takes no lock)
    ) as worker:
        try:
            run_id, refs = asyncio.run(begin())
            tasks = group(sync.s(ref.id, ref.name, run_id) for ref in refs)
            tasks.apply_async().get(timeout=_PATIENCE)
            outcomes = asyncio.run(end(run_id, len(refs)))
        finally:
            worker.terminate()
    app.close()
    return outcomes


if __name__ == "__main__":
    sys.stdout.write(json.dumps({"outcomes": run(**json.load(sys.stdin))}))
