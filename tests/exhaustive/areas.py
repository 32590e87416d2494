"""All areas."""

from tests.exhaustive.append import cases as append_cases
from tests.exhaustive.append import planted as append_planted
from tests.exhaustive.area import Area
from tests.exhaustive.delivery import cases as delivery_cases
from tests.exhaustive.delivery import planted as delivery_planted
from tests.exhaustive.feed import cases as feed_cases
from tests.exhaustive.feed import planted as feed_planted
from tests.exhaustive.leases import cases as leases_cases
from tests.exhaustive.leases import planted as leases_planted
from tests.exhaustive.reads import cases as reads_cases
from tests.exhaustive.reads import planted as reads_planted

AREAS = (
    Area("delivery", delivery_cases.CASES, delivery_planted.BUGS, delivery_cases.LARGE),
    Area("leases", leases_cases.CASES, leases_planted.BUGS, leases_cases.LARGE),
    Area("feed", feed_cases.CASES, feed_planted.BUGS, feed_cases.LARGE),
    Area("append", append_cases.CASES, append_planted.BUGS, append_cases.LARGE),
    Area("reads", (), reads_planted.BUGS, enumerations=reads_cases.ENUMERATIONS),
)
