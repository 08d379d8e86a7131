"""Where expected errors become one line on stderr and an exit code, without a traceback.

What is not expected is a defect, and keeps its traceback.
"""

import os
import sys
from collections.abc import Callable

from cyclopts.exceptions import CycloptsError

from lastword.usage import UsageError

__all__ = [
    "EXIT_DEGRADED",
    "EXIT_FAILED",
    "EXIT_INTERRUPTED",
    "EXIT_OK",
    "EXIT_PIPE",
    "EXIT_USAGE",
    "UsageError",
    "exit_code",
]

EXIT_OK = 0
EXIT_FAILED = 1
"""The work failed."""
EXIT_USAGE = 2
"""Asked wrongly, or not set up: nothing was done."""
EXIT_DEGRADED = 3
"""The run ended, and some accounts failed."""
EXIT_INTERRUPTED = 130
"""Ctrl-C; 128 + SIGINT, as shells count it."""
EXIT_PIPE = 141
"""Nobody reads our output any more; 128 + SIGPIPE."""


def exit_code(command: Callable[[], object]) -> int:
    """Run a command and return its exit code; expected errors are told on stderr.

    Args:
        command: returns an exit code, or anything else for success.
    """
    try:
        result = command()
        sys.stdout.flush()
    except KeyboardInterrupt:
        return tell("interrupted", code=EXIT_INTERRUPTED)
    except BrokenPipeError:
        # Python would flush once more at its end, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_PIPE
    except UsageError as error:
        return tell(*error.lines)
    except CycloptsError as error:
        help_ = " ".join(["lastword", *(error.command_chain or []), "--help"])
        return tell(f"{error} See `{help_}`.")
    except Exception as error:
        from cli.explain import explain  # noqa: PLC0415 (slow to import, rarely needed)

        if (explained := explain(error)) is None:
            raise
        lines, code = explained
        return tell(*lines, code=code)
    return result if isinstance(result, int) else EXIT_OK


def tell(*lines: str, code: int = EXIT_USAGE) -> int:
    """Print errors on stderr, each on one line, and return the exit code."""
    for line in lines:
        print(f"lastword: {' '.join(line.split())}", file=sys.stderr)  # noqa: T201
    return code
