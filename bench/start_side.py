"""A flow of one empty task, with nothing of Last Word: what Prefect needs to start, by itself."""

from prefect import flow, task


@task(task_run_name="sync nobody")
def nothing() -> None:
    pass


@flow(name="nothing")
def start() -> None:
    """Submit the task, as flows do."""
    nothing.submit().wait()


if __name__ == "__main__":
    start()
