"""An independent check of a store and its relay: what was written, what is stored, what came, what can be found.

It reads rows, messages and documents by hand, from what the reference pages say of them, and uses nothing of what the
product makes them with. So a fault of the product cannot hide itself.
"""

from relay.testing.checker.broken import BrokenPromise
from relay.testing.checker.checker import DeliveryChecker
from relay.testing.checker.comparison import Discrepancy
from relay.testing.checker.document import IndexedDocument, document_discrepancies, index_of
from relay.testing.checker.event import TrueEvent
from relay.testing.checker.message import SentMessage, message_discrepancies
from relay.testing.checker.promise import Promise
from relay.testing.checker.verdict import CheckVerdict
from relay.testing.checker.writing import Acknowledged, MeantEvent, WrittenCommit, meant_discrepancies

__all__ = [
    "Acknowledged",
    "BrokenPromise",
    "CheckVerdict",
    "DeliveryChecker",
    "Discrepancy",
    "IndexedDocument",
    "MeantEvent",
    "Promise",
    "SentMessage",
    "TrueEvent",
    "WrittenCommit",
    "document_discrepancies",
    "index_of",
    "meant_discrepancies",
    "message_discrepancies",
]
