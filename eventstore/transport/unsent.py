"""Exceptions of botocore that say by their kind that nothing was sent. Pure."""

from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError, ProxyConnectionError, SSLError

from eventstore.transport.bounded_session import NoConnectionFreeError

UNREACHED = (EndpointConnectionError, ConnectTimeoutError, NoConnectionFreeError)
"""Time may heal these."""

_HANDSHAKE = ("CERTIFICATE_VERIFY", "HANDSHAKE", "WRONG_VERSION_NUMBER", "_PROTOCOL]", "HOSTNAME", "MISMATCH")
"""Words of OpenSSL and urllib3 for what can only happen before a request is sent."""

_BAD_HEADER = "Invalid header value"
"""How `http.client` begins what it says of a header with a line break in it, and goes on with the header: a secret."""


def is_unsent(error: Exception) -> bool:
    """Tell whether an attempt that ended so has sent nothing, for certain."""
    return (
        isinstance(error, (*UNREACHED, ProxyConnectionError))
        or (isinstance(error, SSLError) and is_of_handshake(error))
        or has_bad_header(error)
    )


def is_of_handshake(error: SSLError) -> bool:
    """Tell whether two sides cannot agree; TLS can also fail later, in the middle of a reply."""
    words = tls_words(error)
    return any(word in words for word in _HANDSHAKE)


def tls_words(error: SSLError) -> str:
    """Return what went wrong in capitals, without the address, which may hold any word."""
    return str(error.kwargs.get("error", "")).upper()


def has_bad_header(error: Exception) -> bool:
    """Tell whether a key or a token cannot be sent; the words of such an error hold it, and must not be shown."""
    return _BAD_HEADER in str(error)
