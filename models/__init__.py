"""The tables: accounts, runs, the ledger, open causes, notices. Ours; Prefect is the view."""

from models.account import Account, Health
from models.cause import OpenCause
from models.held import Held, HolderBeat
from models.key_check import KeyCheck
from models.ledger import LedgerEntry, OutcomeKind
from models.notice import OwnerNotice, RefusedNotifier
from models.run import Run

__all__ = [
    "Account",
    "Health",
    "Held",
    "HolderBeat",
    "KeyCheck",
    "LedgerEntry",
    "OpenCause",
    "OutcomeKind",
    "OwnerNotice",
    "RefusedNotifier",
    "Run",
]
