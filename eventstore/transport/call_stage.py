"""How far the call that a thread is making has come: told by the transport, so that a failure says what it can mean."""

import threading
from enum import IntEnum


class Stage(IntEnum):
    """How far a call has come."""

    UNSEEN = 0
    """The client does not tell: it was made by somebody else, or is none that uses a network."""
    BEGAN = 1
    """Parameters, endpoint and credentials are being looked at; no request was made."""
    READY = 2
    """The request is made and signed; no byte of it has left."""
    SENT = 3
    """Bytes may have left."""
    SENT_AGAIN = 4
    """The client itself has made another attempt, so that an earlier one may have had its effect."""


class CallStage(threading.local):
    """The call that this thread is making.

    Attributes:
        stage: How far it has come.
        operation: Its name on the wire, once the client has told it.
        is_ours: The library is making it; a client that users share with the library is left alone otherwise.
    """

    stage: Stage = Stage.UNSEEN
    operation: str = ""
    is_ours: bool = False

    def begin(self) -> None:
        """Forget the call before."""
        self.stage, self.operation, self.is_ours = Stage.UNSEEN, "", True

    def end(self) -> None:
        """Leave what others do with the client alone."""
        self.is_ours = False

    def bytes_leave(self) -> None:
        """Note that the server may have heard of it from now on."""
        self.stage = max(self.stage, Stage.SENT)


CALL = CallStage()
