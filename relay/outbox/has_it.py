"""The condition that a destination has a commit, as DynamoDB is asked it; it agrees with how rows are read here."""

TEXTS = {":texts": {"S": "SS"}}
"""The value that the condition needs."""


def has_it(name: str) -> str:
    """Return the condition that a row says so of a destination.

    What is not a set of texts was written by somebody else, and says of nobody that it has the commit.

    Args:
        name: The placeholder of the destination's name, such as `:bus`.
    """
    return f"(attribute_type(delivered, :texts) AND contains(delivered, {name}))"
