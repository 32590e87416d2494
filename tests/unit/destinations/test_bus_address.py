"""Where RabbitMQ is: what an address means, and that no text about it holds a password."""

import re

import pytest

from eventstore.transport.addresses import masked
from relay.destinations.bus.address import places_of, read_addresses


@pytest.mark.parametrize(
    ("text", "place", "login"),
    [
        ("amqp://h", "amqp://h:5672//", ("guest", "guest")),
        ("amqp://u:sesame@h:1//", "amqp://h:1//", ("u", "sesame")),
        ("amqp://u:sesame@h/%2F", "amqp://h:5672//", ("u", "sesame")),
        ("amqps://u:sesame@H/shop", "amqps://h:5671/shop", ("u", "sesame")),
        ("amqp://u:sesame%40w%2C@[::1]:5/v", "amqp://[::1]:5/v", ("u", "sesame@w,")),
        ("amqp://u:sesame;w@h/v", "amqp://h:5672/v", ("u", "sesame;w")),
        ("amqp://u:sesame,w@h/v%2Cw", "amqp://h:5672/v%2Cw", ("u", "sesame,w")),
    ],
)
def test_one_address(text: str, place: str, login: tuple[str, str]) -> None:
    """Host, port and virtual host are shown in one way; who logs in is shown nowhere."""
    (found,) = read_addresses(text)

    assert str(found) == place
    assert (found.user, found.password) == login
    assert "sesame" not in f"{found} {found!r}"


@pytest.mark.parametrize("between", [",", ", ", ";", " ; "])
def test_several_addresses(between: str) -> None:
    """All are kept, in their order, and none is taken for a piece of another."""
    found = read_addresses(f"amqp://a:b@h1/v{between}amqps://c:sesame@h2/v")

    assert places_of(found) == "amqp://h1:5672/v, amqps://h2:5671/v"
    assert [each.password for each in found] == ["b", "sesame"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("amqp://guest:se@sa/me@h:5672//", "must be escaped"),
        ("amqp://u:1#sesame@h/v", "must be escaped"),
        ("amqp://u:12?sesame@h/v", "must be escaped"),
        ("amqp://u:sesame@h:port/v", "not of the form"),
        ("amqp://u:sesame@h1:1,h2:2/v", "each written in full"),
        ("amqp://u:sesame@h1,h2/v", "each written in full"),
        ("amqp://a:b@h1/v,c:sesame", "each written in full"),
        ("amqp://a:b@h1/v,c:sesame@h2/v", "must be escaped"),
        ("amqp://u:ses ame@h/v", "blank"),
        ("amqp://a:b@h1/v,http://c:sesame@h2/v", "address 2 of 2 must begin with amqp://"),
        ("amqp://a:sesame@h1/v,amqp://h2/w", "several virtual hosts"),
        (",".join(["amqp://u:sesame@h/v"] * 17), "17 addresses"),
        ("http://u:sesame@h", "must begin with amqp://"),
    ],
)
def test_what_is_no_address(text: str, words: str) -> None:
    """It is refused before anything is asked, with the cure, and without a word of it."""
    with pytest.raises(ValueError, match=re.escape(words)) as caught:
        read_addresses(text)

    assert "sesame" not in str(caught.value)


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("no 'amqp://a:b@h1/v,amqp://c:sesame@h2/v'", "no 'amqp://***@h1/v,amqp://***@h2/v'"),
        ("no amqp://a:b@h1/v; amqps://c:sesame@h2/v", "no amqp://***@h1/v; amqps://***@h2/v"),
        ("vhost v,amqp://c:sesame@h2/v not found", "vhost v,amqp://***@h2/v not found"),
        ("http://u:ses,ame@h:1,https://v:x@i", "http://***@h:1,https://***@i"),
        ("http://u:ses/a@me@h:1 is odd", "http://***@h:1 is odd"),
        ("cannot resolve guest:sesame@h", "cannot resolve ***@h"),
        ("place='guest:sesame@[::1]:5'", "place='***@[::1]:5'"),
        (
            "home node 'rabbit@h1' of queue 'q' in vhost '/': down",
            "home node 'rabbit@h1' of queue 'q' in vhost '/': down",
        ),
        ("amqp://h:5672/v is down", "amqp://h:5672/v is down"),
    ],
)
def test_words_of_others(words: str, shown: str) -> None:
    """User and password are taken out of whatever a broker or a library says; the rest stays."""
    assert masked(words) == shown


@pytest.mark.parametrize(
    ("text", "is_tls", "port", "login_method"),
    [
        ("amqp://h", False, 5672, None),
        ("pyamqp://h", False, 5672, None),
        ("pyamqps://h", True, 5671, None),
        ("amqp://h?ssl=1", True, 5671, None),
        ("amqp://h?ssl_ca_certs=/a", True, 5671, None),
        ("amqp://h?sslx=1", False, 5672, None),
        ("amqp://h:7?ssl=1&login_method=EXTERNAL", True, 7, "EXTERNAL"),
    ],
)
def test_how_a_node_is_spoken_to(text: str, is_tls: bool, port: int, login_method: str | None) -> None:  # noqa: FBT001
    """Encrypted by its scheme or by a setting of TLS; by the mechanism that is named."""
    (found,) = read_addresses(text)

    assert (found.is_tls, found.port, found.login_method) == (is_tls, port, login_method)


def test_what_an_address_leaves_out() -> None:
    """The host is this machine, the virtual host the first one."""
    (found,) = read_addresses(" amqp:///shop%2Feu ")

    assert (found.host, found.virtual_host, found.scheme) == ("localhost", "shop/eu", "amqp")
    assert found.place == "localhost:5672/shop/eu"
    assert read_addresses("amqp://h")[0].virtual_host == "/"


def test_a_cluster_has_up_to_16_nodes() -> None:
    """An address that cannot be read is counted when there are several."""
    assert len(read_addresses(",".join(["amqp://h/v"] * 16))) == 16
    with pytest.raises(ValueError, match=r"^must begin with amqp://"):
        read_addresses("http://h")
