"""States folded from events: of aggregates to decide on, and of views to show."""

from eventstore.repository.deciding.decision import Decide, DecideMany, Decision
from eventstore.repository.deciding.transacted import Transacted, TransactedMany
from eventstore.repository.folding import Evolve
from eventstore.repository.loader import Loaded, Origin
from eventstore.repository.policy import NEVER, CachePolicy, SnapshotPolicy
from eventstore.repository.projection import Projection
from eventstore.repository.read_model import Position, ReadModel
from eventstore.repository.repository import Repository
from eventstore.repository.state_codec import JsonStateCodec, StateCodec
from eventstore.repository.stats import RepositoryStats

__all__ = [
    "NEVER",
    "CachePolicy",
    "Decide",
    "DecideMany",
    "Decision",
    "Evolve",
    "JsonStateCodec",
    "Loaded",
    "Origin",
    "Position",
    "Projection",
    "ReadModel",
    "Repository",
    "RepositoryStats",
    "SnapshotPolicy",
    "StateCodec",
    "Transacted",
    "TransactedMany",
]
