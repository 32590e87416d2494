"""Names of variables: which of them are misspelt, and which a Kubernetes Service has set. Pure."""

import difflib
import re
from collections.abc import Collection, Iterable, Mapping

PREFIXES = ("EVENTSTORE_", "RELAY_")

OTHERS = frozenset({"EVENTSTORE_ENV_FILE", "RELAY_CONFIG_FILE"})
"""Variables that lead to settings, and are none."""

_OF_LOCAL_SERVERS = f"{PREFIXES[0]}SERVERS_"
_CLOSE = 0.75
"""Likeness from which on one name is taken for another: `RABITMQ_URL` is 0.96, `ELASTIC_URL` 0.79."""

_SERVICE_ADDRESS = re.compile(r"(tcp|udp|sctp)://[0-9a-zA-Z.:\[\]-]+:[0-9]+")
_SERVICE_NAME = re.compile(r".+_SERVICE_(HOST|PORT(_.+)?)|.+_PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?")


def unknown(given: Mapping[str, str | None], known: Collection[str], prefix: str) -> list[str]:
    """Return the names with a prefix that mean nothing here; what a Kubernetes Service has set is left out.

    Args:
        given: Variables with their values.
        known: Variables that are settings, in capitals.
        prefix: Of the names to look at.
    """
    return [
        name
        for name, value in given.items()
        if name.upper().startswith(prefix)
        and not name.upper().startswith(_OF_LOCAL_SERVERS)
        and name.upper() not in known
        and name.upper() not in OTHERS
        and not is_of_service(name.upper(), value or "")
    ]


def meant(name: str, known: Collection[str]) -> str | None:
    """Return the variable that a name was probably meant to be; None when it is like none of them."""
    stem, stems = _stem(name), {_stem(each): each for each in known}
    longer = sorted(each for each in stems if stem and each.startswith(f"{stem}_"))  # its unit was left out
    found = [stem] if stem in stems else longer or difflib.get_close_matches(stem, stems, 1, _CLOSE)
    return stems[found[0]] if found else None


def misspelt(names: Iterable[str], known: Collection[str], where: str = "") -> list[str]:
    """Return a sentence for each name that is like a setting's.

    Args:
        names: Variables that mean nothing.
        known: Variables that are settings.
        where: Begins the sentence, such as `.local/env: `.
    """
    pairs = [(name, meant(name, known)) for name in names]
    return [f"{where}{name}: no setting is called so; do you mean {close}?" for name, close in pairs if close]


def instead_of(missing: str, given: Iterable[str], known: Collection[str]) -> str | None:
    """Return a variable that was probably set in place of a missing one: with another prefix or none, or misspelt."""
    stem = _stem(missing)
    others = {name: _stem(name) for name in given if name.upper() not in known and name.upper() != missing}
    same = [name for name, other in others.items() if other == stem or other.endswith(f"_{stem}")]
    close = difflib.get_close_matches(stem, set(others.values()), 1, _CLOSE)
    return next(iter(same or (name for name, other in others.items() if other in close)), None)


def is_of_service(name: str, value: str) -> bool:
    """Tell whether Kubernetes sets a variable of this name and value for a Service."""
    return bool(_SERVICE_NAME.fullmatch(name) or (name.endswith("_PORT") and _SERVICE_ADDRESS.fullmatch(value)))


def explain_service(name: str, value: object) -> str | None:
    """Return what is to be said of a setting that holds what Kubernetes sets for a Service; None for other values."""
    if not (isinstance(value, str) and name.endswith("_PORT") and _SERVICE_ADDRESS.fullmatch(value)):
        return None
    service = name.removesuffix("_PORT").lower().replace("_", "-")
    return (
        f"is {value!r}, which Kubernetes sets for the Service {service}: set the variable in the container, set"
        " `enableServiceLinks: false` in the pod, or rename the Service"
    )


def _stem(name: str) -> str:
    upper = name.upper()
    return next((upper.removeprefix(prefix) for prefix in PREFIXES if upper.startswith(prefix)), upper)
