"""A server on loopback that refuses every request in the same words, and counts them."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.answering_server import Answer, AnsweringServer, answering_server

NO_CREDENTIALS_DYNAMODB = (
    400,
    b'{"__type":"com.amazon.coral.service#UnrecognizedClientException","message":"The security token is invalid."}',
)
"""What DynamoDB says of credentials that it does not know. Source: AWS, "Error handling with DynamoDB"."""

NO_CREDENTIALS_ELASTICSEARCH = (
    401,
    b'{"error":{"type":"security_exception","reason":"unable to authenticate user [relay]"},"status":401}',
)
"""What Elasticsearch says of a wrong password, shortened."""


_HEADERS = {"Content-Type": "application/json", "X-Elastic-Product": "Elasticsearch"}


class RefusingServer(AnsweringServer):
    """Answers everything with one status and one body."""

    def refuse(self, status: int, body: bytes) -> None:
        """Answer so from now on."""
        self.answer = Answer(body, status, _HEADERS)

    @property
    def requests(self) -> int:
        """How many it has answered."""
        return len(self.asked)


@contextmanager
def refusing_server(answer: tuple[int, bytes]) -> Iterator[RefusingServer]:
    """Give a server that refuses with this status and this body."""
    with answering_server(RefusingServer) as server:
        server.refuse(*answer)
        yield server
