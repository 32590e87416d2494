"""A place in a shard. DynamoDB calls it a sequence number; here that word belongs to events."""

from dataclasses import dataclass

DIGITS_MIN = 21
"""A shorter text is refused. Source: AWS, API reference of GetShardIterator (SequenceNumber has 21 to 40 digits)."""


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
            ValueError: The text is not a number.
        """
        if not (text.isascii() and text.isdecimal()):
            raise ValueError(f"{text!r} is not a position")
        return cls(int(text))

    def __str__(self) -> str:
        """Return it as DynamoDB takes it back: DynamoDB Local fills its small ones up with zeros, and wants them."""
        return f"{self.number:0{DIGITS_MIN}d}"
