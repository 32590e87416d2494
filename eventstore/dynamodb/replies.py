"""What a client is watched for: how far each call has come, and that only DynamoDB's own word counts as an answer."""

from collections.abc import Mapping
from typing import Any
from zlib import crc32

import msgspec
from botocore.exceptions import BotoCoreError

from eventstore.transport import reply_rows, unsent
from eventstore.transport.call_stage import CALL, Stage

CHECKSUM = "x-amz-crc32"
_REFUSALS_FROM = 300
_SERVER_ERRORS = 500
_IN_PROGRESS = "TransactionInProgressException"
_NOTHING_LEFT = b"{}"
_ANY_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])


class ForeignReplyError(BotoCoreError):
    """A reply is not DynamoDB's, or not as DynamoDB sent it: what became of the request is unknown."""

    fmt = "the reply (status {status}) is not DynamoDB's: {reason}"

    def __init__(self, *, status: int, reason: str) -> None:
        super().__init__(status=status, reason=reason)
        self.status = status


def _checksum_fault(status: int, headers: Mapping[str, str], body: bytes) -> str | None:
    """Return why a reply cannot be what DynamoDB said, by its checksum; None when it can.

    DynamoDB and DynamoDB Local send the checksum of every successful reply, and name the error in every refusal. A
    `{}` of another server, or a GetItem that was cut short, looks like an answer otherwise.

    Args:
        status: HTTP status.
        headers: By name in lower case.
        body: As it came.
    """
    checksum = headers.get(CHECKSUM)
    if checksum is not None and checksum.strip() != str(crc32(body)):
        return "its checksum is of another body"
    if checksum is None and status < _REFUSALS_FROM:
        return f"it has no {CHECKSUM}"
    return None


def _body_fault(status: int, body: bytes) -> str | None:
    """Return the same, by what the body holds."""
    try:
        body.decode()
        members = _ANY_OBJECT.decode(body)
    except (UnicodeDecodeError, RecursionError, msgspec.DecodeError):
        return "its body is not a JSON object"
    if status >= _REFUSALS_FROM and "__type" not in members:
        return "it is a refusal that names no error"
    return None


def watch(client: Any, *, is_own: bool = False) -> None:
    """Have a client tell how far its calls have come, and refuse replies that are not DynamoDB's; safe to repeat.

    Args:
        client: boto3's; another one, such as a double in a test, is left as it is.
        is_own: The library made it, and its connections tell when bytes leave.
    """
    events = getattr(getattr(client, "meta", None), "events", None)
    if events is None:
        return
    watching = _Watching(is_own=is_own)
    for event, handler in (
        ("provide-client-params", watching.began),
        ("before-send", watching.ready),
        ("before-parse", watching.answered),
        ("response-received", watching.received),
    ):  # first of all: another handler of `before-send` may answer in place of the network
        events.register_first(event, handler, unique_id=f"eventstore-{event}")


def _is_refusal(reply: Mapping[str, Any]) -> bool:
    """Tell whether DynamoDB has said that it did nothing, and nothing is under way."""
    status: int = reply.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    code: str = reply.get("Error", {}).get("Code", _IN_PROGRESS)
    return _REFUSALS_FROM <= status < _SERVER_ERRORS and code != _IN_PROGRESS


class _Watching:
    """Handlers of a client's events; see the developer guide of botocore, "Events"."""

    def __init__(self, *, is_own: bool) -> None:
        self._is_own = is_own

    def began(self, model: Any, **_: Any) -> None:
        CALL.stage, CALL.operation = Stage.BEGAN, model.name

    def ready(self, **_: Any) -> None:
        if CALL.stage >= Stage.READY:
            CALL.stage = Stage.SENT_AGAIN
        else:
            CALL.stage = Stage.READY if self._is_own else Stage.SENT

    def received(self, exception: Exception | None, parsed_response: Mapping[str, Any] | None, **_: Any) -> None:
        """Note that an attempt certainly had no effect, so that another one by the client itself begins anew."""
        is_certain = unsent.is_unsent(exception) if exception is not None else _is_refusal(parsed_response or {})
        if is_certain and CALL.stage < Stage.SENT_AGAIN:
            CALL.stage = Stage.BEGAN

    def answered(
        self,
        operation_model: Any,
        response_dict: dict[str, Any],
        customized_response_dict: dict[str, Any] | None = None,
        **_: Any,
    ) -> None:
        if not (self._is_own or CALL.is_ours):
            return
        status, body = response_dict["status_code"], response_dict["body"]
        reason = _checksum_fault(status, response_dict["headers"], body)
        is_rows = reason is None and status < _REFUSALS_FROM and customized_response_dict is not None
        reply = reply_rows.parse(operation_model.name, body) if is_rows else None
        if reply is None:
            reason = reason or _body_fault(status, body)
        if reason is not None:
            raise ForeignReplyError(status=status, reason=reason)
        if reply is not None and customized_response_dict is not None:
            customized_response_dict.update(reply)
            response_dict["body"] = _NOTHING_LEFT
