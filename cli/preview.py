"""Shows what an account's source has now, before anything is saved."""

from cli.errors import UsageError
from cli.output import say
from lastword.errors import Deferred, Gone, Rejected, Systemic, Transient
from lastword.preview import Preview, preview
from lastword.settings import Settings
from lastword.status import clean
from lastword.wiring import Wiring


async def show(wiring: Wiring, settings: Settings) -> None:
    """Tell which source was understood, and the status that its newest post would become.

    A server that is down does not stop anybody: then that is told instead.

    Args:
        wiring: the account's, checked.
        settings: as a run has them.

    Raises:
        UsageError: the source has nothing for us; the message says why.
    """
    _tell("Source", wiring.source)
    try:
        seen = await preview(wiring, settings)
    except (Rejected, Gone) as error:
        raise UsageError(f"{error} (nothing was saved; --unseen saves it all the same)") from None
    except (Transient, Deferred, Systemic) as error:
        _tell("Status", f"not known yet: {error}")
        return
    _show(seen)


def _show(seen: Preview) -> None:
    if seen.feed:
        _tell("Feed", seen.feed)
    _tell("Status", seen.status or f"none for now: {seen.why}")
    if seen.post:
        when = f"{seen.post.time:%Y-%m-%d %H:%M} UTC" if seen.post.time else ""
        if facts := " ".join(filter(None, (when, seen.post.url))):
            _tell("Posted", facts)
    if seen.notice:
        _tell("Notice", seen.notice)


def _tell(about: str, text: str) -> None:
    # Words of strangers: a terminal must show them, not obey them.
    say(f"{about}: {clean(text)}")
