"""The chat server of the chaos: it writes down every login that is tried."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from secrets import token_urlsafe

from bench.chaos.crowd import Someone
from demo.operated import OperatedProsody
from demo.prosody_storage import lua

DOMAIN = "chat.example"
CONTACT = "contact"
_SHORT, _LONG = 600, 3600
"""Seconds: Prosody's own, and what docs/xmpp.md advises."""
MODULE = Path(__file__).parent / "prosody"


@dataclass(frozen=True, slots=True)
class Tried:
    """One login that was tried: whose, when (seconds since 1970), and whether it was let in."""

    name: str
    at: float
    accepted: bool


class WitnessedProsody(OperatedProsody):
    """A server for a crowd.

    It has PEP and no shared status: what contacts see stands there without anybody's phone, of
    which there would have to be thousands.

    Args:
        people: its users, but for those that it does not know, each with one contact in common.
        file: where it writes down the logins.
        lingering: whether sessions that break off are kept until the next run and longer.

    Attributes:
        passwords: by name, the contact's too.
    """

    iterations = 1  # thousands are derived for users whose passwords nobody uses

    def __init__(self, people: Sequence[Someone], file: Path, *, lingering: bool = False) -> None:
        names = [person.name for person in people if person.poison != "stranger"]
        self.passwords = {name: token_urlsafe(12) for name in (*names, CONTACT)}
        self._file = file
        super().__init__(
            DOMAIN,
            self.passwords,
            {CONTACT: names},
            modules=("privilege", "login_witness"),
            settings=f"login_witness_file = {lua(str(file))}\n"
            f"smacks_hibernation_time = {_LONG if lingering else _SHORT}",
        )
        self._plugin_paths = (*self._plugin_paths, MODULE)

    def tried(self) -> list[Tried]:
        """Return all logins that were tried, in order."""
        lines = self._file.read_text().splitlines() if self._file.exists() else []
        parts = [line.split(" ", 2) for line in lines]
        return [Tried(name, float(at), how == "accepted") for at, how, name in parts]
