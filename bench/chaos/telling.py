"""What chaos prints and remembers: what was done, when, and what was seen."""

from dataclasses import dataclass, field
from time import monotonic, time

from rich.console import Console
from rich.markup import escape


@dataclass(frozen=True, slots=True)
class Done:
    """Something that went wrong on purpose.

    Attributes:
        words: what.
        began: when, in seconds since 1970.
        ended: when all was there again.
    """

    words: str
    began: float
    ended: float


@dataclass
class Diary:
    """Calm output, and what was done."""

    console: Console = field(default_factory=lambda: Console(highlight=False, soft_wrap=True))
    done: list[Done] = field(default_factory=list)
    _began: float = field(default_factory=monotonic)

    def say(self, text: str, style: str = "") -> None:
        """Print a line, with the seconds since the beginning."""
        words = f"[{style}]{escape(text)}[/]" if style else escape(text)
        self.console.print(f"[dim]{monotonic() - self._began:6.1f} s[/]  {words}")

    def happened(self, words: str, how: str, began: float) -> None:
        """Note something that went wrong on purpose, and print it."""
        self.done.append(Done(words, began, time()))
        self.say(f"{words} ({how})", "yellow")

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return monotonic() - self._began
