"""`lastword completion`: what a shell needs to complete our commands."""

from typing import Literal

from cli.errors import EXIT_OK


def completion(shell: Literal["bash", "zsh", "fish"]) -> int:
    """Print a script that lets a shell complete `lastword` and its options.

    For bash now: `source <(lastword completion bash)`. For good: docs/operating.md.

    Args:
        shell: Which.
    """
    from cli.main import app  # noqa: PLC0415 (which names this module)

    print(app.generate_completion(shell=shell))  # noqa: T201
    return EXIT_OK
