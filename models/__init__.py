"""The tables: accounts, runs, and the ledger of outcomes. Our own record; Prefect is the view."""

from models.account import Account, Health
from models.held import Held, HolderBeat
from models.key_check import KeyCheck
from models.ledger import LedgerEntry, OutcomeKind
from models.run import Run

__all__ = [
    "Account",
    "Health",
    "Held",
    "HolderBeat",
    "KeyCheck",
    "LedgerEntry",
    "OutcomeKind",
    "Run",
]
