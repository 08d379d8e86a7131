"""The report as one page of HTML that needs nothing beside itself."""

import re
from datetime import timedelta

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from lastword.report import pictures
from lastword.report.facts import Report
from lastword.report.reading import FAILURES
from lastword.report.words import many, moment, span, utc
from models import Health, OutcomeKind

_CODE = re.compile(r"`([^`]+)`")
_OPTION = re.compile(r"(?<!\S)--?[\w-]+")


def page(report: Report, no_run_after: timedelta) -> str:
    """Return the page. Names and reasons are other people's words: they are shown, never obeyed.

    Args:
        report: what it tells.
        no_run_after: where no run ended for longer, the page begins with that.
    """
    templates = Environment(
        loader=PackageLoader("lastword.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {"many": many, "span": span, "utc": utc, "moment": moment, "code": _code}
    last = report.runs[-1] if report.runs else None
    return templates.get_template("page.html").render(
        report=report,
        last=last,
        is_late=last is not None and report.made_at - last.ended_at > no_run_after,
        waiting=report.health[Health.NEEDS_OWNER],
        Health=Health,
        kinds=list(OutcomeKind),
        trouble=pictures.TROUBLE,
        pictures=pictures,
        most_failures=FAILURES,
    )


def _code(text: str) -> Markup:
    """Return words with their commands set as such."""
    return Markup(_CODE.sub(_command, str(escape(text))))  # noqa: S704


def _command(found: "re.Match[str]") -> str:
    # A line would break within an option, after its hyphens.
    words = _OPTION.sub(lambda option: f"<span>{option[0]}</span>", found[1])
    return f"<code>{words}</code>"
