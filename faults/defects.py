"""Defects of ours, put in at places that handle secrets and posts, and that quote both."""

import asyncio
import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from lastword.eligibility import Choice, Rules
from lastword.post import Post
from lastword.publishers.login import LoginSession
from lastword.sources.feed import Feed
from lastword.sources.x_settings import XSettings
from models import Account

IN_SOURCE, IN_PUBLISHER = "unlucky-in-source", "unlucky-in-publisher"
"""Names of accounts that meet one."""
WORDS = "FAULTS_DEFECTS"
"""The variable that names a file; it has words for what else is to break."""
IN_REPORT, IN_SUMMARY = "report", "summary"

log = logging.getLogger("lastword.defects")


def put_in() -> None:
    """Put them in, in this process."""
    latest, set_ = Feed.latest, LoginSession.set

    async def unlucky(self: Feed, account: Account, rules: Rules) -> Choice:
        choice = await latest(self, account, rules)
        if account.name == IN_SOURCE and choice.post:
            _leave_behind(choice.post.text)
            raise KeyError(f"{choice.post.text} {_token()}")
        return choice

    async def publish(self: LoginSession, status: str | None, post: Post | None = None) -> Any:  # noqa: ANN401
        if self._account.name == IN_PUBLISHER:
            password = self._client._secret.get_secret_value()
            raise RuntimeError(f"{status} for {self._client.boundjid} with {password}")
        return await set_(self, status, post)

    Feed.latest = unlucky  # type: ignore[method-assign]
    LoginSession.set = publish  # type: ignore[method-assign]
    _break_tasks()


def _break_tasks() -> None:
    from tasks import report_run  # noqa: PLC0415 (imports Prefect, whose settings are set by now)

    for word, name in ((IN_REPORT, "changes_in"), (IN_SUMMARY, "summary")):
        setattr(report_run, name, _broken(word, getattr(report_run, name)))


def _broken(word: str, work: Callable[..., Any]) -> Callable[..., Any]:
    def perhaps(*args: Any, **more: Any) -> Any:  # noqa: ANN401
        told = Path(os.environ[WORDS])
        if told.exists() and word in told.read_text("utf-8"):
            raise ValueError(f"{told.read_text('utf-8')} {_token()}")
        return work(*args, **more)

    return perhaps


def _leave_behind(text: str) -> None:
    """Let errors come up where nobody waits for them: in a task, a thread, a destructor."""

    async def fail() -> None:
        raise ValueError(text)

    class Unlucky:
        def __del__(self) -> None:
            raise ValueError(text)

    def fail_too() -> None:
        raise ValueError(text)

    asyncio.get_running_loop().create_task(fail())
    threading.Thread(target=fail_too).start()
    Unlucky()
    try:
        raise ValueError(text)  # noqa: TRY301 (as Prefect does it)
    except ValueError as error:
        log.exception("met: %r", error)  # noqa: TRY401 (same)
    log.debug("password=%s", SecretStr(text))


def _token() -> str:
    token = XSettings().x_token
    return token.get_secret_value() if token else ""
