import contextlib
import errno
import socket
from collections.abc import Iterator

import pytest

from gateway.web import sockets
from gateway.web.limits import UNSENT


@contextlib.contextmanager
def listening(host: str, port: int, *, sharing: bool = False) -> Iterator[list[socket.socket]]:
    made = sockets.listen(host, port, sharing=sharing)
    try:
        yield made
    finally:
        sockets.close(made)


@pytest.mark.parametrize(("host", "brackets"), [("127.0.0.1", "127.0.0.1"), ("::1", "[::1]")])
def test_a_free_port_is_taken_and_written_as_urls_have_it(host: str, brackets: str) -> None:
    with listening(host, 0) as made:
        address = sockets.bound(made)
        assert address[0] == host
        assert sockets.written(address) == f"{brackets}:{address[1]}"
        with socket.create_connection(address, timeout=5):
            pass


def test_all_addresses_of_a_name_have_the_same_port() -> None:
    with listening("localhost", 0) as made:
        assert {one.getsockname()[1] for one in made} == {sockets.bound(made)[1]}


def test_a_port_that_is_taken_is_told_with_its_address() -> None:
    with listening("127.0.0.1", 0) as made:
        port = sockets.bound(made)[1]
        with pytest.raises(OSError, match="Address already in use") as refused:
            sockets.listen("127.0.0.1", port)
        assert (refused.value.errno, refused.value.filename) == (
            errno.EADDRINUSE,
            f"127.0.0.1:{port}",
        )


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(OSError, match="assign") as refused:
        sockets.listen("203.0.113.1", 0)
    assert refused.value.filename == "203.0.113.1:0"


def test_sockets_that_share_a_port_do_not_share_it_with_one_that_does_not() -> None:
    with listening("127.0.0.1", 0, sharing=True) as first:
        port = sockets.bound(first)[1]
        with listening("127.0.0.1", port, sharing=True), pytest.raises(OSError, match="in use"):
            sockets.listen("127.0.0.1", port)


def test_all_of_ipv4_and_all_of_ipv6_lie_side_by_side() -> None:
    with listening("0.0.0.0", 0) as made, listening("::", sockets.bound(made)[1]):
        pass


@pytest.mark.skipif(
    not hasattr(socket, "TCP_NOTSENT_LOWAT"), reason="this system has no such bound"
)
def test_the_kernel_keeps_little_for_a_caller_that_reads_nothing() -> None:
    (listener,) = sockets.listen("127.0.0.1", 0)
    with listener, socket.socket() as caller:
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        caller.connect(listener.getsockname())
        listener.setblocking(True)
        accepted, _ = listener.accept()
        with accepted:
            accepted.setblocking(False)
            taken = 0
            with contextlib.suppress(BlockingIOError):
                while taken < 4 * UNSENT:
                    taken += accepted.send(bytes(16_384))
    assert UNSENT <= taken < 2 * UNSENT  # without a bound it is megabytes
