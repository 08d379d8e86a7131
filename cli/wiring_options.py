"""Options of `accounts add` and `accounts edit` that choose posts and shape statuses."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from lastword.usage import UsageError
from lastword.wiring import checked

Kept = Literal["keep", "drop"]


@Parameter(name="*")
@dataclass(frozen=True)
class WiringOptions:
    """What was said; None where nothing was."""

    template: str | None = None
    "How a post becomes a status, of {text}, {url} and {source}."
    publisher: str | None = None
    "On whose authority to connect."
    length: Annotated[str | None, Parameter(show_default=False)] = None
    "Characters of a status at most, as people count them."
    mentions: Kept | None = None
    "Whether @mentions stay in the status."
    hashtags: Kept | None = None
    "Whether #hashtags stay in the status."
    max_age: str | None = None
    "Posts older than this, such as 30d, are not published; `default`: as the settings say."
    expires_after: str | None = None
    "A status older than this, such as 12h, is cleared; `never`: it stays."
    only: str | None = None
    "Words and #tags, with commas: a post must have one of them."
    never: str | None = None
    "Words and #tags, with commas: a post must have none of them."
    pep: str | None = None
    "What of PEP shows it: activity, microblog, tune, with commas; `none`; `default`: as needed."

    def checked(self) -> dict[str, Any]:
        """Return what was said, checked, by column.

        Raises:
            UsageError: it cannot be; the message says what it looks like.
        """
        given = {name: text for name, text in vars(self).items() if text is not None}
        return {name: checked_option(name, text) for name, text in given.items()}


def checked_option(field: str, text: str) -> Any:  # noqa: ANN401 (each column has its own type)
    """Return what was typed for a column, as the column takes it.

    Raises:
        UsageError: it cannot be; the message says what it looks like.
    """
    try:
        return checked(field, text)
    except ValueError as error:
        raise UsageError(str(error)) from None
