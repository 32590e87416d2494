"""Shard iterators: a place in a shard as an opaque text."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from dataclasses import dataclass

from eventstore.testing.dynamodb.errors import validation


@dataclass(frozen=True, slots=True)
class ShardIterator:
    """A place in a shard.

    Attributes:
        stream_arn: The stream.
        shard_id: The shard.
        place: How many records of the shard lie before it.
        issued_ms: When it was given out.
    """

    stream_arn: str
    shard_id: str
    place: int
    issued_ms: int

    @property
    def text(self) -> str:
        """The iterator as the service gives it out."""
        hidden = f"{self.shard_id}|{self.place}|{self.issued_ms}"
        return f"{self.stream_arn}|1|{urlsafe_b64encode(hidden.encode()).decode()}"

    @staticmethod
    def read(text: str) -> "ShardIterator":
        """Return the iterator behind a text.

        Raises:
            ServiceError: ValidationException; the service did not give this text out.
        """
        try:
            stream_arn, _, hidden = text.split("|")
            shard_id, place, issued_ms = urlsafe_b64decode(hidden.encode()).decode().split("|")
            return ShardIterator(stream_arn, shard_id, int(place), int(issued_ms))
        except (ValueError, Error) as error:
            raise validation("Invalid ShardIterator") from error
