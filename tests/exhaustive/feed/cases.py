"""The cases of the feed."""

from tests.exhaustive.area import Case
from tests.exhaustive.feed.pages import Pages
from tests.exhaustive.feed.shards import Shards

CASES = (
    Case("pages of a shard", lambda: Pages((2, 0, 2, 1), 3, let_go=1), 212, 810),
    Case("pages that are old", lambda: Pages((1, 1, 1), 2, let_go=1, overdue=True), 641, 2_637),
    Case("shards", lambda: Shards(2, 1, 1), 495, 1_203),
)

LARGE = (
    Case("pages of a shard, larger", lambda: Pages((3, 1, 2, 2), 3, let_go=2)),
    Case("shards, larger", lambda: Shards(3, 1, 2)),
)
