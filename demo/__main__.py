"""The demo: posts become chat statuses, end to end, on loopback; every claim is checked.

Exit code 0 only if the contact sees each person's newest post and each failure is the right one.
"""

import argparse
import asyncio
import signal
import sys
from contextlib import suppress

from demo.people import people
from demo.show import Show
from demo.stage import stage
from demo.story import Story

FEWEST = 4


def main() -> int:
    """Tell the story; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--people", type=int, default=25, help="how many (default 25)")
    parser.add_argument("--once", action="store_true", help="leave when the story is told")
    parser.add_argument(
        "--sabotage", action="store_true", help="break one expectation, to see the demo fail"
    )
    arguments = parser.parse_args()
    if arguments.people < FEWEST:
        parser.error(f"--people takes {FEWEST} or more: three are broken on purpose")
    try:
        return asyncio.run(_demo(arguments.people, arguments.once, arguments.sabotage))
    except KeyboardInterrupt:
        return 130


async def _demo(count: int, once: bool, sabotage: bool) -> int:
    telling = asyncio.current_task()
    if telling:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, telling.cancel)
    show = Show()
    crowd = people(count)
    with show.step(f"Setting the stage: a site of posts, a chat server, {count} people online"):
        setting = stage(crowd)
        scene = await setting.__aenter__()
    try:
        story = Story(scene, crowd, show, sabotage=sabotage)
        async with story.everything_up() as ui:
            await story.first_run()
            if not show.broken:
                await story.second_run()
            failed = story.end(ui)
            if not once:
                show.say(f"Look around at {ui}: Ctrl-C ends everything.")
                with suppress(asyncio.CancelledError):
                    await asyncio.Event().wait()
        return 1 if failed else 0
    finally:
        await setting.__aexit__(*sys.exc_info())


if __name__ == "__main__":
    sys.exit(main())
