"""Compares what Elasticsearch has with what it must have: the template, the alias, and every month's index."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ParamSpec

from eventstore import jsontext
from eventstore.errors import EventStoreError, SetUpError, TryLaterError
from relay.destination import INDEX
from relay.destinations.index import differences as index_differences
from relay.destinations.index.client import IndexClientError, IndexLostError, IndexRefusedError
from relay.destinations.index.differences import AddAlias, PutMapping, PutTemplate
from relay.destinations.index.elasticsearch import ElasticsearchClient
from relay.destinations.index.holdings import LOSS_ADVICE, accepted, learnt, losses
from relay.destinations.index.settings import IndexSettings
from relay.destinations.index.template import template
from relay.destinations.index.watch import IndexMemory
from relay.destinations.topology import Difference, Examination

P = ParamSpec("P")

TIMEOUT_SECONDS = 10.0
_TOLD_MAX = 200

_ODD = (KeyError, IndexError, TypeError, AttributeError, *jsontext.FAULTS)
"""What looking into a reply of another shape raises."""


class ElasticsearchTopology:
    """The `Topology` of the index.

    Args:
        client: Where Elasticsearch is; closed by whoever made it.
        settings: What is wanted.
        memory: What the indices once held; None when nobody knows.
    """

    name = INDEX

    def __init__(self, client: ElasticsearchClient, settings: IndexSettings, memory: IndexMemory | None = None) -> None:
        self._client = client
        self._memory = memory
        self._settings = settings
        self._names = settings.names
        self._wanted = template(settings)

    @property
    def place(self) -> str:
        """See `Topology.place`."""
        return self._client.place

    def examine(self) -> Examination:
        """See `Topology.examine`."""
        with _told():
            found = self._client.stored_template(TIMEOUT_SECONDS)
            differences, notes = index_differences.of_template(self._wanted, found, self._names)
            if not differences and not notes:
                effective = self._call("POST", f"/_index_template/_simulate_index/{self._names.unborn}")
                differences += index_differences.of_next_month(self._wanted, effective, self._names)
            mappings = self._wanted["template"]["mappings"]
            for index, state in sorted(self._indices().items()):
                differences += index_differences.of_index(index, state, mappings, self._names)
            lost, note = self._lost()
            differences += lost
            notes += note
        notes += [f"the node at {node} is left out: {reason}" for node, reason in self._client.left_out().items()]
        return Examination(tuple(differences), tuple(notes))

    def _lost(self) -> tuple[list[Difference], list[str]]:
        """Return what the indices have lost, or why that is not known."""
        if self._memory is None:
            return [], []
        try:
            known = self._memory.load()
            found = self._client.holdings(TIMEOUT_SECONDS)
        except EventStoreError as error:
            return [], [f"what the indices once held cannot be compared: {error}"]
        missing = losses(learnt(known, found), found)
        return [Difference(f"index {loss.index}", loss.problem, LOSS_ADVICE) for loss in missing], []

    def accept_losses(self, keep: Callable[[list[str]], None]) -> list[str]:
        """Forget what the indices have lost; return a sentence for each.

        Args:
            keep: Keeps the sentences, before anything is forgotten; not called when nothing is lost.

        Raises:
            TryLaterError: Elasticsearch or DynamoDB does not answer, or somebody else writes at the same moment.
            SetUpError: The credentials or the address are refused.
        """
        assert self._memory is not None, "nobody remembers what there was"
        with _told():
            known = self._memory.load()
            found = self._client.holdings(TIMEOUT_SECONDS)
            after = learnt(known, found)
            deeds = [f"accepted: {loss}" for loss in losses(after, found)]
            if deeds:
                keep(deeds)
            if deeds and not self._memory.save(accepted(after, found)):
                raise TryLaterError("a worker has just counted what the indices hold: try again")
        return deeds

    def make(self, differences: Sequence[Difference]) -> list[str]:
        """See `Topology.make`."""
        refused: list[str] = []
        paths: dict[str, set[str]] = defaultdict(set)
        with _told():
            for difference in differences:
                match difference.remedy:
                    case PutTemplate():
                        refused += _try(difference.thing, self._put_template)
                    case AddAlias(index):
                        refused += _try(difference.thing, self._add_alias, index)
                    case PutMapping(index, of_one):
                        paths[index] |= of_one
                    case _:
                        pass
            for index, of_all in paths.items():
                refused += self._mend_mapping(index, of_all)
        return refused

    def _mend_mapping(self, index: str, paths: set[str]) -> list[str]:
        """Put all fields at once, or one by one where that is refused, so that one does not keep out the others."""
        thing = f"mapping of index {index}"
        refused = _try(thing, self._put_mapping, index, paths)
        if refused and len(paths) > 1:
            refused = []
            for path in sorted(paths):
                refused += _try(f"{thing}, field {path}", self._put_mapping, index, {path})
        return refused

    def _indices(self) -> dict[str, Any]:
        """Return every month's index, whatever else is under the alias, and an index that bears the alias's name."""
        options = "ignore_unavailable=true&allow_no_indices=true&expand_wildcards=all&flat_settings=true"
        found: dict[str, Any] = self._call("GET", f"/{self._names.alias},{self._names.pattern}?{options}")
        return {index: state for index, state in found.items() if self._concerns(index, state)}

    def _concerns(self, index: str, state: dict[str, Any]) -> bool:
        """Tell whether an index is ours, or in our way: the pattern also meets those of a longer prefix."""
        return self._names.is_index(index) or index == self._names.alias or self._names.alias in state["aliases"]

    def _put_template(self) -> None:
        self._client.put_template(self._client.stored_template(TIMEOUT_SECONDS), TIMEOUT_SECONDS)

    def _add_alias(self, index: str) -> None:
        body = {"actions": [{"add": {"index": index, "alias": self._names.alias}}]}
        self._call("POST", "/_aliases", body)

    def _put_mapping(self, index: str, paths: set[str]) -> None:
        wanted = self._wanted["template"]["mappings"]
        fields = index_differences.leaves(wanted["properties"])
        body = {"dynamic": wanted["dynamic"], "properties": {path: fields[path] for path in sorted(paths)}}
        self._call("PUT", f"/{index}/_mapping", body)

    def _call(self, method: str, path: str, body: object = None) -> Any:
        return self._client.call(method, path, TIMEOUT_SECONDS, body=body)


def _try(thing: str, call: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> list[str]:
    """Return what was refused; what concerns more than the one thing is raised."""
    try:
        call(*args, **kwargs)
    except IndexRefusedError as error:
        if error.status in {401, 403}:
            raise
        return [f"{thing}: {error}"]
    return []


@contextmanager
def _told() -> Iterator[None]:
    """Translate what the client raises to the port's errors."""
    try:
        yield
    except IndexLostError as error:
        raise TryLaterError(str(error)) from error
    except IndexClientError as error:
        raise SetUpError(f"Elasticsearch refuses: {error}; check address, user and rights") from error
    except _ODD as error:
        told = f"{type(error).__name__}: {str(error)[:_TOLD_MAX]}"
        raise TryLaterError(f"the answer of Elasticsearch cannot be read ({told}); is it a proxy's?") from error
