"""The entry of the command `lastword`.

Commands are named by import string: `lastword --help` is quick, and nothing imports Prefect
before the command that needs it has set its environment.
"""

import os
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from importlib.metadata import version

from cyclopts import App, UnknownCommandError

from cli.errors import UsageError, exit_code
from lastword.discretion import be_discreet

app = App(
    name="lastword",
    help="Sets each user's newest public post as their XMPP chat status, every 30 minutes.",
    help_epilogue="Start with `lastword init`. All settings: docs/settings.md",
    version=lambda: version("lastword"),
    suppress_keyboard_interrupt=False,
)
app.command("cli.init:init", name="init", help="Make data directory, database and key.")
app.command("cli.accounts:app", name="accounts", help="Add, change and list accounts.")
app.command("cli.run:run", name="run", help="Run once now.")
app.command("cli.up:up", name="up", help="Run the schedule, with Prefect's server and its UI.")
app.command("cli.keys:app", name="keys", help="Show and replace the keys that seal passwords.")
app.command("cli.hold:hold", name="hold", help="Keep the sessions of accounts by hold.")
app.command("cli.why:why", name="why", help="Tell what happened to an account, and what to do.")
app.command("cli.alerts:app", name="alerts", help="Have operators told when it matters.")
app.command("cli.backup:backup", name="backup", help="Save all but the key, also during a run.")
app.command("cli.backup:restore", name="restore", help="Put a backup in the database's place.")
app.command("cli.report:report", name="report", help="Write a page of how it went lately.")
app.command("cli.doctor:doctor", name="doctor", help="Check what a run needs.")
app.command("cli.completion:completion", name="completion", help="Print a script for your shell.")


def run_command(arguments: Sequence[str]) -> int:
    """Run `lastword` with these arguments and return its exit code."""
    return exit_code(lambda: _run(arguments))


def _run(arguments: Sequence[str]) -> object:
    if not arguments:
        raise UsageError("no command given: start with `lastword init`, or see `lastword --help`")
    try:
        return app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
    except UnknownCommandError as error:
        # Its own words would import every command, only to list them.
        typed, commands = (error.unused_tokens or ["?"])[0], list(error.app or app)
        close = get_close_matches(typed, commands, n=1)
        help_ = " ".join(["lastword", *(error.command_chain or []), "--help"])
        guess = f"did you mean {close[0]!r}?" if close else f"see `{help_}`"
        raise UsageError(f"there is no command {typed!r}: {guess}") from None


def main() -> None:
    """Run the command of this process and leave it."""
    be_discreet()
    os.umask(0o077)  # whatever comes to be of this command is for its user only
    sys.exit(run_command(sys.argv[1:]))
