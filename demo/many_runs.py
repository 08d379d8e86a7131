"""Many runs, one after another in one process: `python -m demo.many_runs 48`.

Each is a flow run on the Prefect server of PREFECT_API_URL, as the scheduled ones are.
"""

import sys
from collections import Counter

from flows.run_here import run_here


def main(number: int) -> None:
    """Run so often, and print how often each state came of it."""
    states = Counter(
        run_here("due", None, force=False, dry_run=False, listener=lambda *_: None).state
        for _ in range(number)
    )
    print(", ".join(f"{many} {state}" for state, many in states.items()))


if __name__ == "__main__":
    main(int(sys.argv[1]))
