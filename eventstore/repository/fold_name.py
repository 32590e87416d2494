"""The name of a fold, by which snapshots are told from those of other folds."""

import sys
from collections.abc import Callable
from functools import reduce
from types import FunctionType
from typing import Any

from eventstore.errors import InvalidInputError
from eventstore.validation import check_text_key

NAME_MAX_BYTES = 512


def fold_name(aggregate_type: str, evolve: Callable[..., Any], given: str | None, *, is_kept: bool) -> str:
    """Return the name of a repository's fold: two folds must not take each other's snapshots.

    Args:
        aggregate_type: Part of it.
        evolve: The step, whose own name is the other part.
        given: A name in place of that one.
        is_kept: Whether snapshots are marked with it, so that it must be the name of this very step.

    Raises:
        InvalidInputError: The step has no name of its own, and snapshots are wanted; or the given one cannot be one.
    """
    if given is not None:
        return f"{aggregate_type}/{check_text_key(given, 'fold_name', NAME_MAX_BYTES)}"
    name = str(getattr(evolve, "__qualname__", type(evolve).__qualname__))
    if is_kept and not _is_own(evolve, name):
        raise InvalidInputError(
            "fold_name",
            f"is missing: snapshots are kept under the name of `evolve`, and {name!r} may be another's as well, as of"
            " a lambda, a partial, a closure or a method of an object; give a name of your own choice",
        )
    return f"{aggregate_type}/{_module_of(evolve)}.{name}"


def _is_own(evolve: Any, name: str) -> bool:
    """Tell whether a name leads to this very function, or can only be that of its one piece of code."""
    try:
        found: Any = reduce(getattr, name.split("."), sys.modules[evolve.__module__])
    except (AttributeError, KeyError):
        found = None
    if found is not None and (found is evolve or found == evolve):
        return True
    return (
        isinstance(evolve, FunctionType)
        and evolve.__name__ != "<lambda>"
        and not (evolve.__closure__ or evolve.__defaults__ or evolve.__kwdefaults__ or hasattr(evolve, "__wrapped__"))
        and found is None
    )


def _module_of(evolve: object) -> str:
    """Return the module of a step; that of a script is named by its file, since all scripts are called `__main__`."""
    module = str(getattr(evolve, "__module__", ""))
    if module not in ("__main__", "__mp_main__"):
        return module
    main = sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)
    return str(spec.name if spec is not None else getattr(main, "__file__", module))
