"""Pictures for the docs, of Prefect's real UI after runs of the demo, and of the report.

Exit code 0 only if each page shows what an operator is to find there; then the pictures are saved.
"""

import argparse
import asyncio
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from demo import history
from demo.browser import NotOnThePage, Page, browser
from demo.command import LastWord
from demo.people import people
from demo.prefect_api import PrefectAPI
from demo.show import Show
from demo.stage import free_port, stage
from demo.story import DEPLOYMENT, NEWS, RUN, START

PEOPLE = 25
HEALED = "chandra"
PICTURES = ("run", "failures", "summary", "form", "report")
_FORM = (
    *("which", "due: every account whose turn it is.", "failed: those that failed last time."),
    *("accounts", "Names of accounts: exactly these"),
    *("force", "Publish even where nothing changed."),
    *("dry_run", "Do everything but publish"),
)
_FAILURES = (
    *("What happened", "What to do"),
    *("bruno", "answers 410 Gone", "looked at again once a day"),
    *("chandra", "refused the password", "lastword accounts edit chandra --password"),
    *("daria", "did not answer within"),
)


async def take(to: Path) -> None:
    """Take all pictures.

    Args:
        to: the directory for them.

    Raises:
        NotOnThePage: a page does not show what it should.
    """
    show, crowd = Show(), people(PEOPLE)
    report = to / "report.html"
    with show.step(f"Setting the stage for {PEOPLE} people"):
        setting = stage(crowd, {"LASTWORD_REPORT": str(report)})
        scene = await setting.__aenter__()
    try:
        port = free_port()
        async with (
            scene.lastword.up(port, START),
            PrefectAPI(f"http://127.0.0.1:{port}/api") as api,
        ):
            with show.step("Two runs over everybody; between them some write, and one is healed"):
                await api.pause(DEPLOYMENT)
                first = await _run(api)
                for person in crowd[-4:]:
                    scene.site.change_post(person.name, NEWS)
                password = scene.passwords[HEALED]
                edit = ("accounts", "edit", HEALED, "--password-stdin")
                await scene.lastword(*edit, stdin=password)
                second = await _run(api)
                await api.resume(DEPLOYMENT)
            async with browser() as page:
                with show.step("Looking at Prefect's UI"):
                    await _prefect(page, f"http://127.0.0.1:{port}", api, (first, second), to)
                with show.step("Looking at the report that the run left, and at that of a month"):
                    await page.look(1024, 1400)
                    await page.open(report.as_uri())
                    await page.expect("Last run", "Degraded", *_FAILURES)
                    await _month(page, to)
    finally:
        await setting.__aexit__(*sys.exc_info())


async def _run(api: PrefectAPI) -> str:
    flow_run = await api.start(DEPLOYMENT, {"which": "all"})
    await api.end(flow_run, RUN)
    # Two more: the tasks that choose the accounts and report the run.
    await api.recorded(flow_run, PEOPLE + 2, RUN)
    return flow_run


async def _prefect(page: Page, ui: str, api: PrefectAPI, runs: tuple[str, str], to: Path) -> None:
    first, second = runs
    await page.look(1280, 1150)
    await page.open(f"{ui}/runs/flow-run/{first}")
    await page.expect("Task Runs", "Degraded", f"{PEOPLE + 2} Task runs")
    await page.click("Task Runs")
    await page.expect("sync alice", "sync bruno", "Published", "Failed", "report the run")
    await page.picture(to / "run.png")

    # Wide enough for all columns.
    await page.look(2000, 500, scale=0.8)
    await page.open(f"{ui}/artifacts/artifact/{(await api.artifact_ids(first))['sync-failures']}")
    await page.expect(*_FAILURES)
    await page.picture(to / "failures.png")

    await page.look(1280, 960)
    await page.open(f"{ui}/artifacts/artifact/{(await api.artifact_ids(second))['sync-summary']}")
    await page.expect("Degraded", f"{PEOPLE} accounts in", "Published", "Unchanged", "Failed")
    await page.expect("Slowest hosts", "Recent runs")
    await page.picture(to / "summary.png")

    await page.look(1280, 1040)
    deployment = (await api.deployment(DEPLOYMENT))["id"]
    await page.open(f"{ui}/deployments/deployment/{deployment}/run")
    await page.expect(*_FORM)
    await page.picture(to / "form.png")


async def _month(page: Page, to: Path) -> None:
    with TemporaryDirectory(prefix="lastword-month-") as directory:
        lastword = LastWord(Path(directory), {})
        await history.fill(f"sqlite:///{directory}/lastword.db")
        file = Path(directory, "report.html")
        await lastword("report", str(file))
        # As large as the other pictures, with the text as large as on a laptop.
        await page.look(1024, 1500, scale=1.25)
        await page.open(file.as_uri())
        await page.expect("Accounts that need their owner", "The last 48 runs", "Day by day")
        await page.picture(to / "report.png")


def _save(directory: Path) -> None:
    with TemporaryDirectory(prefix="lastword-pictures-") as taken:
        asyncio.run(take(Path(taken)))
        for name in PICTURES:
            picture = Path(taken, f"{name}.png")
            # 256 colours are hardly fewer than these have.
            quantise = ["pngquant", "--speed", "1", "--strip", "--force", "--ext", ".png"]
            subprocess.run([*quantise, str(picture)], check=True)  # noqa: S603 (a program by name, and our own file)
            shutil.copyfile(picture, directory / picture.name)
            print(f"{directory / picture.name}: {picture.stat().st_size // 1024} KiB")


def main() -> int:
    """Take the pictures; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m demo.screenshots", description=__doc__)
    parser.add_argument("directory", type=Path, help="where the pictures go")
    try:
        _save(parser.parse_args().directory)
    except NotOnThePage as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
