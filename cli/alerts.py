"""`lastword alerts …`: what Prefect's server tells operators, and where."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from cli.accounts import Flag
from cli.ask import ask_secret, confirm
from cli.errors import EXIT_FAILED, EXIT_OK, UsageError, tell
from cli.output import print_json, print_table, say
from deployments.profile import client_environment
from deployments.whereabouts import api_in_use
from lastword.settings import Settings
from lastword.span import format_span, parse_span

if TYPE_CHECKING:
    from deployments.alerts.install import Alerts

VARIABLE = "LASTWORD_ALERTS_URL"

app = App(name="alerts", help="Have operators told when it matters.")


def _span(_: object, tokens: object) -> timedelta:
    return parse_span(tokens[0].value)  # type: ignore[index]


Span = Annotated[timedelta, Parameter(converter=_span, show_default=format_span)]


@app.command
def install(
    *,
    block: str | None = None,
    url_stdin: Flag = False,
    degraded: Flag = False,
    zombie_after: Span = timedelta(minutes=9),
) -> int:
    """Install the alerts on Prefect's server, or bring them up to date; nothing is made twice.

    They go to a notification block of Prefect's, or to a webhook's URL (Slack, Discord, Microsoft
    Teams, or any that takes JSON), which is asked for, or read from stdin or LASTWORD_ALERTS_URL.

    Args:
        block: A notification block, such as slack-webhook/ops.
        url_stdin: Read the URL from stdin.
        degraded: Tell of runs in which some accounts failed, too.
        zombie_after: A run that shows no life for so long is set to Crashed.
    """
    return asyncio.run(_install(block, degraded=degraded, url_stdin=url_stdin, zombie=zombie_after))


async def _install(block: str | None, *, url_stdin: bool, degraded: bool, zombie: timedelta) -> int:
    settings = Settings()
    async with _server(settings) as alerts:
        from deployments.alerts.rules import Watch  # noqa: PLC0415 (imports Prefect)

        url = None
        given = url_stdin or VARIABLE in os.environ
        if block is None and (given or await alerts.goes_to() is None):
            if not given and not sys.stdin.isatty():
                raise UsageError(
                    f"nobody said where alerts go: give --block, --url-stdin or {VARIABLE}"
                )
            url = ask_secret(
                "URL of the webhook", variable=VARIABLE, option="--url-stdin", stdin=url_stdin
            )
        watch = Watch(settings.no_run_after, zombie, degraded)
        to = await alerts.install(watch, block=block, url=url)
    say(f"Installed; alerts go to {to.name}")
    say("Next: lastword alerts test")
    return EXIT_OK


@app.command
def test() -> int:
    """Send a sample the way that alerts go, and wait until it is delivered."""
    return asyncio.run(_test())


async def _test() -> int:
    async with _server(Settings()) as alerts:
        from deployments.alerts.channel import ChannelTrouble  # noqa: PLC0415 (imports Prefect)

        try:
            seconds = await alerts.test()
        except ChannelTrouble as error:
            return tell(str(error), code=EXIT_FAILED)
        to = await alerts.goes_to()
    say(f"Delivered to {to.name if to else 'its block'} in {seconds:.1f} s")
    return EXIT_OK


@app.command(name="list")
def list_(*, json: Flag = False) -> int:
    """List the alerts that are installed.

    Args:
        json: Print them as JSON.
    """
    return asyncio.run(_list(json=json))


async def _list(*, json: bool) -> int:
    async with _server(Settings()) as alerts:
        found = await alerts.installed()
    if json:
        print_json([asdict(one) for one in found])
    elif found:
        rows = [
            (one.name, "on" if one.is_enabled else "paused", one.block or "sets it to Crashed")
            for one in found
        ]
        print_table(("Alert", "State", "Goes to"), rows)
    else:
        say("No alerts are installed: `lastword alerts install`")
    return EXIT_OK


@app.command
def remove(*, yes: Flag = False, dry_run: Flag = False) -> int:
    """Remove the alerts from Prefect's server; where they went stays known there.

    Args:
        yes: Do not ask.
        dry_run: Only say what would be removed.
    """
    return asyncio.run(_remove(yes=yes, dry_run=dry_run))


async def _remove(*, yes: bool, dry_run: bool) -> int:
    async with _server(Settings()) as alerts:
        number = len(await alerts.installed())
        if dry_run:
            say(f"Would remove {number} alerts")
            return EXIT_OK
        question = f"Remove {number} alerts?"
        if number and not yes and not confirm(question, otherwise="add --yes"):
            say("Nothing was removed")
            return EXIT_FAILED
        say(f"Removed {await alerts.remove()} alerts")
    return EXIT_OK


@asynccontextmanager
async def _server(settings: Settings) -> AsyncIterator["Alerts"]:
    """Give the alerts on the Prefect server in use here.

    Raises:
        UsageError: there is none, or it does not do as asked.
    """
    api = api_in_use(settings.data_dir)
    if api is None:
        raise UsageError("no Prefect server is in use here: start `lastword up` first")
    # Prefect reads its environment when it is first imported.
    os.environ.update(client_environment(settings.data_dir / "prefect", api))
    os.environ.setdefault("PREFECT_LOGGING_LEVEL", "CRITICAL")
    from deployments.alerts.channel import ChannelTrouble  # noqa: PLC0415
    from deployments.alerts.install import Alerts  # noqa: PLC0415
    from deployments.server import ServerTrouble, answers  # noqa: PLC0415

    try:
        if not await answers(api):
            raise UsageError(f"no Prefect server answers at {api}: see `lastword up`")
        async with Alerts.at(api) as alerts:
            yield alerts
    except (ChannelTrouble, ServerTrouble) as error:
        raise UsageError(str(error)) from None
