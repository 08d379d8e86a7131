"""Read by every Python process of an installation whose PYTHONPATH leads here.

In flow runs it puts our own defects in, and has everybody log everything.
"""

import os
import sys

if "prefect.engine" in sys.orig_argv:
    os.environ |= {
        # What httpx says of sending a log line would be a line to send.
        "PREFECT_LOGGING_EXTRA_LOGGERS": "lastword,slixmpp,sqlalchemy,aiosqlite,asyncpg,asyncio",
        "PREFECT_LOGGING_ROOT_LEVEL": "DEBUG",
        "PYTHONASYNCIODEBUG": "1",
    }
    from faults import defects

    defects.put_in()
