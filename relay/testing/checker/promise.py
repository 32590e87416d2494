"""What a store and its relay promise: one name for each, which stays the same."""

from enum import StrEnum


class Promise(StrEnum):
    """A promise that can be seen to be broken; its value says it in a few words."""

    READABLE = "a row can be read"
    INDEX_KEYS = "a row has the keys of its indexes"
    ID_ONCE = "an event id is given once"
    NUMBER_ONCE = "a number is given once"
    NO_HOLES = "numbers have no holes"
    WHOLE_COMMITS = "a commit is whole"
    ONE_TYPE = "an id belongs to one type of aggregate"
    EPOCHS_RISE = "epochs do not go back"

    AS_WRITTEN = "what is stored is what was written"
    ONLY_WRITTEN = "only what was written is stored"
    STORED_ONCE = "a request is stored once"
    ACKNOWLEDGED = "what is acknowledged is stored"
    REFUSED = "what was refused is not stored"

    SENT = "what is stored is sent"
    ONLY_STORED_SENT = "only what is stored is sent"
    SENT_AS_STORED = "what is sent is what is stored"
    IN_ORDER = "first deliveries are in order"
    SAME_AGAIN = "a repeat is the same message"
    FEW_REPEATS = "repeats keep their bound"

    INDEXED = "what is stored is in the index"
    ONLY_STORED_INDEXED = "only what is stored is in the index"
    INDEXED_AS_STORED = "what is in the index is what is stored"
    OWN_MONTH = "a document is in the index of its month"
    ONE_DOCUMENT = "an event has one document"

    NOTHING_OWED = "nothing is owed"
