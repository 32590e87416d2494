"""The flow: every commit that this worker has in hand, from all sources, in one place.

Sources hand rows in, the bus pump and the side pumps take what may go, the asker answers what is in question, the
settlers write down what was taken. All of them share this state under one lock; nothing is waited for inside, and no
server is called. What may go when is decided by `order`, what to write by `settling`.
"""

from relay.delivery.work.intake import Intake
from relay.delivery.work.questions import Answers
from relay.delivery.work.settlements import Settlements
from relay.delivery.work.side_work import SideWork
from relay.delivery.work.turns import Turns


class Flow(Intake, Turns, SideWork, Answers, Settlements):
    """What is in hand. Every method may be called by any part.

    Args:
        sides: Names of the destinations beside the bus.
        memory: What is remembered of the bus beyond what is in hand.
        runtime: Clock and lock.
        settings: Bounds.
        meter: Told what happens.
    """
