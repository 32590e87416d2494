"""The cases of reads."""

from tests.exhaustive.enumeration import Enumeration
from tests.exhaustive.reads import following, history, sweeping

ENUMERATIONS = (
    Enumeration("pages of a history", history.reads, 2_048),
    Enumeration("transactions not yet to be seen", history.hidden_reads, 280),
    Enumeration("followers", following.followings, 1_554),
    Enumeration("walks over the outbox", sweeping.walks, 55_525),
)
