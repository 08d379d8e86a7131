"""Read by every Python process of an installation whose PYTHONPATH leads here.

In flow runs it puts our own defects in, and has everybody log everything.
"""

import os
import sys

if "prefect.engine" in sys.orig_argv:
    os.environ |= {
        # Not httpx and asyncio, which would log how a log line is sent: they go to the console.
        "PREFECT_LOGGING_EXTRA_LOGGERS": "lastword,slixmpp,sqlalchemy,aiosqlite,asyncpg",
        "PREFECT_LOGGING_ROOT_LEVEL": "DEBUG",
        "PYTHONASYNCIODEBUG": "1",
    }
    from faults import defects

    defects.put_in()
