"""The tables: accounts, runs and their shards, the ledger, causes, notices. Ours, not Prefect's."""

from models.account import Account, Health
from models.cause import OpenCause
from models.held import Held, HolderBeat
from models.host_turn import HostTurn
from models.key_check import KeyCheck
from models.ledger import LedgerEntry, OutcomeKind
from models.notice import OwnerNotice, RefusedNotifier
from models.run import Run
from models.shard import Shard, ShardState

__all__ = [
    "Account",
    "Health",
    "Held",
    "HolderBeat",
    "HostTurn",
    "KeyCheck",
    "LedgerEntry",
    "OpenCause",
    "OutcomeKind",
    "OwnerNotice",
    "RefusedNotifier",
    "Run",
    "Shard",
    "ShardState",
]
