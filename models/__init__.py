"""The tables: accounts, runs, and the ledger of outcomes. Our own record; Prefect is the view."""

from models.account import Account, Health
from models.key_check import KeyCheck
from models.ledger import LedgerEntry, OutcomeKind
from models.run import Run

__all__ = ["Account", "Health", "KeyCheck", "LedgerEntry", "OutcomeKind", "Run"]
