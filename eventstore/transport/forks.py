"""What begins anew in a process that was forked from this one: connections, locks, counts of what is under way.

A fork copies the memory and leaves one thread. Two processes that write to one inherited connection get each other's
answers; a lock that another thread held is never released; a turn that it had is never given back.
"""

import os
from collections.abc import Callable
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

T = TypeVar("T")

_RENEWALS: "WeakKeyDictionary[Any, Callable[[Any], None]]" = WeakKeyDictionary()
_LEFT_TO_THE_PARENT: list[object] = []
"""Kept, since ending them would take locks that a thread of the parent may have held; a few for each fork."""


def renew_in_child(owner: T, renew: Callable[[T], None]) -> None:
    """Have something renewed in each process that is forked from this one, for as long as it is used here.

    Args:
        owner: What is renewed.
        renew: Renews it, before anything else runs there. It must not wait for a lock.
    """
    _RENEWALS[owner] = renew


def renew_connections(client: object) -> None:
    """Have a client of boto3 open connections of its own in each forked process; others are left as they are.

    boto3 has no call for it. Where a version of it keeps its connections otherwise, a test with forked readers shows
    it.
    """
    session: Any = getattr(getattr(client, "_endpoint", None), "http_session", None)
    if hasattr(session, "_manager"):
        renew_in_child(session, _without_connections)


def leave_to_parent(inherited: object) -> None:
    """Keep what belongs to the parent from being ended here."""
    _LEFT_TO_THE_PARENT.append(inherited)


def _without_connections(session: Any) -> None:
    manager = session._manager  # noqa: SLF001 - nothing public leads there
    leave_to_parent((manager, session._proxy_managers))  # noqa: SLF001 - as above
    session._manager = type(manager)(**manager.connection_pool_kw)  # noqa: SLF001 - as above
    session._manager.pool_classes_by_scheme = manager.pool_classes_by_scheme  # noqa: SLF001 - as above
    session._proxy_managers = {}  # noqa: SLF001 - as above; these are made when they are needed


def _renew_all() -> None:
    for owner, renew in list(_RENEWALS.items()):
        renew(owner)


os.register_at_fork(after_in_child=_renew_all)
