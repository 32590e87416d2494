"""What an exception of the client library means, by its kind and by how far the call had come.

What failed before a byte left has had no effect: credentials, a proxy and a TLS handshake are set right by a person,
an address that does not answer may answer later. What failed after that is a lost reply.
"""

from collections.abc import Collection, Mapping
from typing import Any

from botocore import exceptions as botocore_errors
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    SSLError,
)

from eventstore.dynamodb.errors import (
    DeniedError,
    DynamoError,
    NotAppliedError,
    OutcomeLostError,
    RefusedError,
    UnusableEndpointError,
)
from eventstore.dynamodb.replies import ForeignReplyError
from eventstore.transport import unsent
from eventstore.transport.call_stage import Stage


def _kinds(*names: str) -> tuple[type[Exception], ...]:
    """Return classes of botocore by name, those that the installed version has."""
    return tuple(found for name in names if (found := getattr(botocore_errors, name, None)) is not None)


_SIGN_IN = _kinds("SSOError", "TokenRetrievalError", "NoAuthTokenError", "LoginError")
_PROFILES = _kinds(
    "ProfileNotFound", "ConfigParseError", "ConfigNotFound", "InvalidConfigError", "UnknownCredentialError"
)
_PROVIDERS = _kinds(
    "CredentialRetrievalError", "MetadataRetrievalError", "RefreshWithMFAUnsupportedError", "UnknownTokenProviderError"
)
_ABSENT = _kinds("NoCredentialsError", "PartialCredentialsError")
_CREDENTIALS = (*_SIGN_IN, *_PROFILES, *_PROVIDERS, *_ABSENT)
_ADDRESSES = _kinds(
    *("BaseEndpointResolverError", "EndpointProviderError", "InvalidHostLabelError", "InvalidRegionError"),
    *("InvalidProxiesConfigError", "InvalidEndpointConfigurationError", "ProxyConnectionError"),
)
_PARAMETERS = _kinds("ParamValidationError", "ValidationError")
_BROKEN_OFF = "EOF"
_PROVIDER_MODULES = frozenset({"botocore.credentials", "botocore.tokens", "botocore.configloader"})
_ADDRESS_MODULES = frozenset({"botocore.endpoint_provider", "botocore.regions", "botocore.httpsession", "urllib.parse"})
_PROXY_ASKS = 407
_SERVER_ERRORS = 500


def outcome_of(error: Exception, stage: Stage) -> DynamoError | None:
    """Return what a failed call ended in; None for an exception that is no client library's and is left as it is.

    Args:
        error: Whatever was raised, except a refusal by a service.
        stage: How far the call had come.
    """
    if isinstance(error, AssertionError) or (stage is Stage.UNSEEN and not isinstance(error, BotoCoreError)):
        return None  # a double in a test says that it was used wrongly
    if isinstance(error, ForeignReplyError):
        return UnusableEndpointError(str(error)) if error.status == _PROXY_ASKS else OutcomeLostError(str(error))
    if stage is Stage.SENT_AGAIN:
        return OutcomeLostError(_words(error))
    return _by_kind(error, stage) or _by_stage(error, stage)


def _by_kind(error: Exception, stage: Stage) -> DynamoError | None:
    """Return what an exception means whose kind says that nothing was sent."""
    if isinstance(error, _CREDENTIALS) or unsent.has_bad_header(error):
        return DeniedError(f"{_words(error)}; {cure_of(error)}")
    if isinstance(error, _ADDRESSES) or (isinstance(error, SSLError) and _is_of_handshake(error, stage)):
        return UnusableEndpointError(_words(error))
    if isinstance(error, unsent.UNREACHED):
        return NotAppliedError("Unreachable", _words(error), reached=False)
    if isinstance(error, _PARAMETERS):
        return RefusedError(type(error).__name__, _words(error))
    return None


def _by_stage(error: Exception, stage: Stage) -> DynamoError:
    match stage:
        case Stage.BEGAN:
            return _before_a_request(error)
        case Stage.READY:
            return _before_a_byte(error)
        case _:
            return OutcomeLostError(_words(error))


def of_provider(error: ClientError) -> DynamoError:
    """Return what it means that the service which gives out credentials refuses; DynamoDB was not asked."""
    response: Mapping[str, Any] = error.response
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400))
    code = str(response.get("Error", {}).get("Code", "Unknown"))
    if status >= _SERVER_ERRORS or "Throttl" in code or "TooManyRequests" in code:
        return NotAppliedError(code, str(error), reached=False)
    return DeniedError(f"{_words(error)}; {cure_of(error)}")


def cure_of(error: Exception) -> str:
    """Return what to do about credentials that cannot be had."""
    if isinstance(error, _SIGN_IN):
        return "sign in again, as with `aws sso login`"
    if isinstance(error, _PROFILES):
        return "correct the configuration file, or name another profile (EVENTSTORE_AWS_PROFILE, AWS_PROFILE)"
    if isinstance(error, _ABSENT):
        return (
            "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile (EVENTSTORE_AWS_PROFILE, AWS_PROFILE)"
        )
    return "see what gives the credentials out, by hand: `aws sts get-caller-identity`"


def is_of_credentials(error: Exception) -> bool:
    """Tell whether something failed while credentials were looked for."""
    if isinstance(error, BotoCoreError):
        return isinstance(error, _CREDENTIALS)
    return _came_through(error, _PROVIDER_MODULES)


def _came_through(error: Exception, modules: Collection[str]) -> bool:
    """Tell whether an exception was raised in one of some modules, or in what they called."""
    traceback = error.__traceback__
    while traceback is not None:  # ends with the frame that raised
        if traceback.tb_frame.f_globals.get("__name__") in modules:
            return True
        traceback = traceback.tb_next
    return False


def _before_a_request(error: Exception) -> DynamoError:
    if isinstance(error, HTTPClientError | botocore_errors.ConnectionError):  # of whoever gives out credentials
        return NotAppliedError("Unreachable", _words(error), reached=False)
    if isinstance(error, BotoCoreError) or is_of_credentials(error):
        return DeniedError(f"{_words(error)}; {cure_of(error)}")
    if _came_through(error, _ADDRESS_MODULES):
        return UnusableEndpointError(_words(error))
    return RefusedError(type(error).__name__, _words(error))


def _before_a_byte(error: Exception) -> DynamoError:
    """Return what it means that no byte of a request could be handed to the network."""
    if type(error) is HTTPClientError or not isinstance(error, HTTPClientError | botocore_errors.ConnectionError):
        return UnusableEndpointError(_words(error))  # such as a file of certificates that is not there
    return NotAppliedError("Unreachable", _words(error), reached=False)


def _is_of_handshake(error: SSLError, stage: Stage) -> bool:
    """Tell whether two sides cannot agree; a connection that ends in the middle of it may come about later."""
    if stage is Stage.READY:
        return _BROKEN_OFF not in unsent.tls_words(error)
    return unsent.is_of_handshake(error)


def _words(error: Exception) -> str:
    if unsent.has_bad_header(error):
        return "a key or token holds what no header may, such as a line break"
    words = " ".join(str(error).split()).rstrip(".")
    return words if isinstance(error, BotoCoreError | ClientError) else f"{type(error).__name__}: {words}"
