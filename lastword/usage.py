"""The error for what a person asked: told before anything is done."""


class UsageError(ValueError):
    """It cannot be done as asked; the message, one line, says what to do instead."""

    @property
    def lines(self) -> list[str]:
        """The message; several lines where several things are wrong at once."""
        return [str(self)]
