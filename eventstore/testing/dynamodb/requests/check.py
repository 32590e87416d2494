"""Refuses the wrong request of a caller in this process before it reaches the service, as botocore does."""

from collections.abc import Mapping

from botocore.exceptions import ParamValidationError

from eventstore.testing.dynamodb.requests.known import REQUESTS


def check_parameters(operation: str, request: Mapping[str, object]) -> None:
    """Refuse a call that lacks a parameter, or has one that it does not take, or one of another type.

    Raises:
        ParamValidationError: As botocore raises it; it names each parameter and where it stands.
    """
    report: list[str] = []
    REQUESTS[operation].check(request, "", report)
    if report:
        raise ParamValidationError(report="\n".join(report))
