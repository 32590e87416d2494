"""A place in a shard. DynamoDB calls it a sequence number; here that word belongs to events."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """The place of one change record. Compared as a number: text would say that 9 comes after 10.

    Attributes:
        number: What DynamoDB Streams calls the record's SequenceNumber.
    """

    number: int

    @classmethod
    def parse(cls, text: str) -> "Position":
        """Read a position as DynamoDB writes it.

        Raises:
            ValueError: The text is no number.
        """
        return cls(int(text))

    def __str__(self) -> str:
        return str(self.number)
