"""An upstream address that is the gateway's own."""

import socket

import pytest

from gateway.zoom.names import Names
from gateway.zoom.own import LoopError, OwnListeners


@pytest.fixture
def own() -> OwnListeners:
    return OwnListeners()


def test_an_address_is_compared_with_its_port(own: OwnListeners) -> None:
    own.listens("127.0.0.1", 8080)
    assert own.has("127.0.0.1", 8080)
    assert own.has("::ffff:127.0.0.1", 8080)
    assert not own.has("127.0.0.1", 8081)
    assert not own.has("127.0.0.2", 8080)
    assert not own.has("192.0.2.7", 8080)
    assert own.has("0.0.0.0", 8080)  # which Linux takes for this machine
    assert not own.has("0.0.0.0", 8081)


def test_all_addresses_of_this_machine_where_it_listens_on_all(own: OwnListeners) -> None:
    own.listens("0.0.0.0", 443)
    assert own.has("127.0.0.1", 443)
    assert own.has("127.0.0.77", 443)
    assert not own.has("192.0.2.7", 443)  # of no machine (RFC 5737)
    assert not own.has("::1", 443)
    assert own.has("0.0.0.0", 443)
    own.listens("::", 443)
    assert not own.has("2001:db8::7", 443)


def test_what_is_no_address_is_nobodys(own: OwnListeners) -> None:
    own.listens("0.0.0.0", 443)
    assert not own.has("fe80::1%nowhere", 443)


def test_sockets_tell_where_they_are(own: OwnListeners) -> None:
    pair = socket.socketpair()
    listening = socket.create_server(("127.0.0.1", 0))
    try:
        own.add([listening, *pair])
        assert own.has(*listening.getsockname())
    finally:
        for one in (listening, *pair):
            one.close()


def test_a_certificate_is_compared_as_a_whole(own: OwnListeners) -> None:
    assert not own.shows(None)
    assert not own.shows(b"der")
    own.certificate = lambda: b"der"
    assert own.shows(b"der")
    assert not own.shows(b"another")
    assert not own.shows(None)


async def test_names_that_lead_back_are_refused(own: OwnListeners) -> None:
    own.listens("127.0.0.1", 8080)
    names = Names(own=own)
    with pytest.raises(LoopError, match=r"stands for 127\.0\.0\.1 here"):
        await names.addresses("127.0.0.1", 8080)
    assert await names.addresses("127.0.0.1", 8081)
    # One way is enough: which of them is taken is chance.
    with pytest.raises(LoopError):
        await names.addresses("localhost", 8080)
