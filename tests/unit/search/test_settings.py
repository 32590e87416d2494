"""The commands find the index by the variables of the relay."""

import pytest

from eventstore.search import PromotedType
from eventstore.search.settings import load
from eventstore.settings import SettingsError


@pytest.fixture(autouse=True)
def _alone(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name in ("RELAY_ELASTICSEARCH_URL", "RELAY_NAME_PREFIX", "RELAY_INDEX_PROMOTED", "EVENTSTORE_ENV_FILE"):
        monkeypatch.delenv(name, raising=False)


def test_one_address_for_both(monkeypatch):
    """What the relay is told is what the search is told."""
    monkeypatch.setenv("RELAY_ELASTICSEARCH_URL", "http://127.0.0.1:9200")
    monkeypatch.setenv("RELAY_NAME_PREFIX", "shop")
    monkeypatch.setenv("RELAY_INDEX_PROMOTED", '{"price.amount": "double"}')

    settings = load()

    assert settings.options.alias == "shop-events"
    assert settings.options.promoted == {"price.amount": PromotedType.DOUBLE}
    assert "9200" not in str(settings), "an address can hold a password"


@pytest.mark.parametrize(
    ("variables", "fault"),
    [
        ({}, "RELAY_ELASTICSEARCH_URL.*make up"),
        ({"RELAY_ELASTICSEARCH_URL": "localhost"}, "RELAY_ELASTICSEARCH_URL: must begin with http"),
        ({"RELAY_ELASTICSEARCH_URL": "http://h:1", "RELAY_NAME_PREFIX": "Shop"}, "RELAY_NAME_PREFIX"),
        ({"RELAY_ELASTICSEARCH_URL": "http://h:1", "RELAY_INDEX_PROMOTED": '{"a b": "long"}'}, "RELAY_INDEX_PROMOTED"),
        ({"RELAY_ELASTICSEARCH_URL": "http://h:1", "RELAY_INDEX_PROMOTED": '{"a": "color"}'}, "RELAY_INDEX_PROMOTED"),
        ({"RELAY_ELASTICSEARCH_URL": "http://h:1", "RELAY_INDEX_PROMOTED": "{bad"}, "PROMOTED: is not JSON"),
    ],
)
def test_faults_name_their_variable(monkeypatch, variables, fault):
    """And nothing is done."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(SettingsError, match=fault):
        load()
