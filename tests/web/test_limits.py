"""Limits hold: what goes beyond is refused or ended, and the others go on."""

import asyncio
import socket
import ssl
import time
from collections.abc import Callable

import pytest

from gateway.core.limits import Limits
from gateway.settings.tls import TlsSettings
from gateway.web.accounts import AccountContext
from gateway.web.connection import Connection
from gateway.web.listener import Tls
from gateway.web.meters import Meters
from gateway.web.tls import Context
from tests.settings.certificates import make_ca
from tests.support.listening import KIB, Listening, listening, until
from tests.support.raw_http import Caller, request
from tests.support.scripted_tokens import ScriptedTokens
from tests.support.scripted_upstream import Reply, ScriptedUpstream, refusal

MIB = 1024 * KIB


def waiting(go: asyncio.Event, count: int) -> ScriptedUpstream:
    """An upstream whose first answers wait."""
    return ScriptedUpstream(*(Reply(200, waits=go) for _ in range(count)), Reply(200))


# Calls.


async def test_an_account_that_is_stuck_leaves_room_for_the_others() -> None:
    go = asyncio.Event()
    meters = Meters()
    hands = meters.hands({"eu": 1, "us": 0})
    assert set(hands) == {"eu"}
    eu = AccountContext("eu", ScriptedTokens(), "acc-eu", hand=hands["eu"])
    us = AccountContext("us", ScriptedTokens(), "acc-us", hand=hands.get("us"))
    async with (
        listening(waiting(go, 1), accounts=[eu, us]) as running,
        await running.caller() as first,
        await running.caller() as second,
    ):
        await first.send(request(b"/@eu/v2/users/me"))
        await until(lambda: running.meters.calls == 1)
        for _ in range(2):
            heard = await second.call(request(b"/@eu/v2/users/me"))
            assert (heard.status, heard.slug) == (503, "too_many_calls")
            assert int(heard.one(b"retry-after")) >= 1
            for other in (b"/@us/v2/users/me", b"/v2/users/me"):
                assert (await second.call(request(other))).status == 200
        assert running.reached == ["calls_per_account"] * 2
        # Another configuration: what is in hand counts on.
        assert meters.hands({"eu": 2})["eu"] is hands["eu"]
        assert (await second.call(request(b"/@eu/v2/users/me"))).status == 200
        assert meters.hands({"eu": 0}) == {}
        assert meters.hands({"eu": 1})["eu"].calls == 1
        assert (await second.call(request(b"/@eu/v2/users/me"))).slug == "too_many_calls"
        go.set()
        assert (await first.hear()).status == 200
        assert (await second.call(request(b"/@eu/v2/users/me"))).status == 200
    assert hands["eu"].calls == 0
    assert meters.hands({}) == {}
    assert meters.hands({"eu": 1})["eu"] is not hands["eu"]


async def test_one_call_too_many_is_refused_at_once_and_the_connection_goes_on() -> None:
    go = asyncio.Event()
    async with (
        listening(waiting(go, 1), limits=Limits(calls=1)) as running,
        await running.caller() as first,
        await running.caller() as second,
    ):
        await first.send(request())
        await until(lambda: running.meters.calls == 1)
        for _ in range(3):
            heard = await second.call(request(b"/v2/users/me", b"X-Request-Id: mine"))
            assert (heard.status, heard.slug) == (503, "too_many_calls")
            assert int(heard.one(b"retry-after")) >= 1
            assert heard.one(b"x-request-id") == b"mine"
            assert not heard.values(b"connection")
        assert running.reached == ["calls"] * 3
        assert len(running.upstream.sent) == 1
        assert len(running.tokens.endpoints) == 1
        go.set()
        assert (await first.hear()).status == 200
        assert (await second.call(request())).status == 200
        await until(lambda: len(running.reports.ended) == 5)
        errors = [(one.error, one.status) for one in running.reports.ended]
        assert errors.count(("too_many_calls", 503)) == 3


async def test_a_call_that_waits_for_a_token_counts() -> None:
    tokens = ScriptedTokens()
    tokens.first_gate = go = asyncio.Event()
    async with (
        listening(tokens=tokens, limits=Limits(calls=1)) as running,
        await running.caller() as first,
        await running.caller() as second,
    ):
        await first.send(request())
        await until(lambda: running.meters.calls == 1)
        assert (await second.call(request())).slug == "too_many_calls"
        go.set()
        assert (await first.hear()).status == 200


async def test_the_body_of_a_refused_call_is_not_waited_for() -> None:
    go = asyncio.Event()
    async with (
        listening(waiting(go, 1), limits=Limits(calls=1)) as running,
        await running.caller() as first,
        await running.caller() as second,
        await running.caller() as third,
    ):
        await first.send(request())
        await until(lambda: running.meters.calls == 1)
        # A body that is there already does no harm to the next call; one that is not, would.
        assert (await second.call(request(method=b"POST", body=b"x"))).slug == "too_many_calls"
        assert (await second.call(request())).slug == "too_many_calls"
        await third.send(request(method=b"POST", body=b"x" * 1000)[:-1])
        heard = await third.hear()
        assert (heard.slug, heard.one(b"connection")) == ("too_many_calls", b"close")
        third.writer.write_eof()
        assert await third.ended() == b""
        go.set()
        assert (await first.hear()).status == 200


async def test_a_call_that_takes_too_long_before_its_answer() -> None:
    limits = Limits(call_timeout=0.2)
    async with (
        listening(waiting(asyncio.Event(), 1), limits=limits) as running,
        await running.caller() as caller,
    ):
        heard = await caller.call(request())
        assert (heard.status, heard.slug) == (504, "call_timeout")
        assert running.reached == ["call_timeout"]
        assert running.upstream.cancelled == 1
        assert (await caller.call(request())).status == 200


async def test_a_body_that_drips_is_bounded_by_the_time_of_the_call() -> None:
    async with (
        listening(limits=Limits(call_timeout=0.5, body_timeout=5.0)) as running,
        await running.caller() as caller,
    ):
        await caller.send(request(method=b"POST", body=b"x" * 1000)[:-1000])
        hearing = asyncio.create_task(caller.hear())
        while not hearing.done():
            await caller.send(b"x")
            await asyncio.sleep(0.02)
        heard = await hearing
        assert (heard.status, heard.slug) == (504, "call_timeout")
        assert running.reached == ["call_timeout"]


async def test_an_answer_that_takes_too_long_is_cut() -> None:
    endless = Reply(200, [], [b"x" * KIB, asyncio.Event()])
    async with (
        listening(ScriptedUpstream(endless), limits=Limits(call_timeout=0.3)) as running,
        await running.caller() as caller,
    ):
        await caller.send(request())
        heard = await caller.hear_head()
        assert heard.status == 200
        assert not (await caller.ended()).endswith(b"0\r\n\r\n")
        (report,) = await running.reports.get()
        assert (report.status, report.error) == (200, "call_timeout")


async def test_time_outs_of_many_calls_come_in_their_turn() -> None:
    async with listening(waiting(asyncio.Event(), 5), limits=Limits(call_timeout=0.3)) as running:
        callers = [await running.caller() for _ in range(5)]
        for caller in callers:
            await caller.send(request())
            await asyncio.sleep(0.02)
        heard = await asyncio.gather(*(caller.hear() for caller in callers))
        assert {one.slug for one in heard} == {"call_timeout"}
        assert running.reached == ["call_timeout"] * 5
        for caller in callers:
            caller.writer.close()


async def test_a_connection_goes_on_after_a_call_that_took_too_long() -> None:
    never = Reply(200, waits=asyncio.Event())
    upstream = ScriptedUpstream(never, Reply(200), never, Reply(200))
    async with (
        listening(upstream, limits=Limits(call_timeout=0.5)) as running,
        await running.caller() as caller,
    ):
        for _ in range(2):
            assert (await caller.call(request())).slug == "call_timeout"
            # The next one has its whole time, and nothing of the former one's end.
            assert (await caller.call(request())).status == 200
        assert running.reached == ["call_timeout"] * 2


async def test_no_limit_of_a_calls_time() -> None:
    go = asyncio.Event()
    async with (
        listening(waiting(go, 1), limits=Limits(call_timeout=0.0)) as running,
        await running.caller() as caller,
    ):
        await caller.send(request())
        await until(lambda: running.meters.calls == 1)
        assert running.proxy._deadlines._timer is None
        go.set()
        assert (await caller.hear()).status == 200


# Connections.


async def test_the_connection_that_is_idle_the_longest_makes_room() -> None:
    async with (
        listening(limits=Limits(connections=2)) as running,
        await running.caller() as first,
        await running.caller() as second,
    ):
        for caller in (first, second, first):  # so that the second is idle the longest
            assert (await caller.call(request())).status == 200
        async with await running.caller() as third:
            assert (await third.call(request())).status == 200
            assert await second.ended() == b""
            assert (await first.call(request())).status == 200
            assert running.meters.connections == 2
        assert running.reached == ["connections"]


async def test_a_connection_on_which_a_call_has_just_come_is_not_idle() -> None:
    loop = asyncio.get_running_loop()
    async with (
        listening(limits=Limits(connections=2)) as running,
        await running.caller() as first,
        await running.caller() as second,
    ):
        for caller in (first, second):
            assert (await caller.call(request())).status == 200
        with socket.socket() as third:
            # In one turn of the loop: the third waits to be taken when the first's call comes.
            third.connect(running.address)
            first.writer.write(request())
            third.setblocking(False)
            await loop.sock_sendall(third, request())
            assert (await first.hear()).status == 200
            assert await second.ended() == b""
            assert (await loop.sock_recv(third, 65536)).startswith(b"HTTP/1.1 200 ")
        assert running.reached == ["connections"]


async def test_a_connection_that_its_caller_has_ended_makes_room() -> None:
    loop = asyncio.get_running_loop()
    async with listening(limits=Limits(connections=1)) as running:
        first = await running.caller()
        assert (await first.call(request())).status == 200
        with socket.socket() as second:
            second.connect(running.address)
            first.writer.close()
            second.setblocking(False)
            await loop.sock_sendall(second, request())
            assert (await loop.sock_recv(second, 65536)).startswith(b"HTTP/1.1 200 ")


async def test_connections_that_are_busy_stay_and_the_next_hears_why_it_cannot() -> None:
    go = asyncio.Event()
    async with (
        listening(waiting(go, 1), limits=Limits(connections=2)) as running,
        await running.caller() as first,
        await running.caller() as second,
    ):
        await first.send(request())
        await second.send(request()[:-5])  # a call on its way
        await until(lambda: running.meters.calls == 1)
        await until(lambda: not any(one.parked for one in running.connections))
        async with await running.caller() as third:
            heard = await third.call(request())
            assert (heard.status, heard.slug) == (503, "too_many_connections")
            assert int(heard.one(b"retry-after")) >= 1
            assert heard.one(b"connection") == b"close"
            assert await third.ended() == b""
        assert running.meters.refused == {"calls": 0, "connections": 1}
        await second.send(request()[-5:])
        assert (await second.hear()).status == 200
        go.set()
        assert (await first.hear()).status == 200
        async with await running.caller() as fourth:
            assert (await fourth.call(request())).status == 200


async def test_refused_connections_hold_no_sockets() -> None:
    async with (
        listening(waiting(asyncio.Event(), 1), limits=Limits(connections=1)) as running,
        await running.caller() as first,
    ):
        await first.send(request())
        await until(lambda: running.meters.calls == 1)
        refused = [await running.caller() for _ in range(100)]
        for caller in refused:
            assert (await caller.hear()).slug == "too_many_connections"
        await until(lambda: len(running.reached) == 100)
        assert sum(len(door._refused) for door in running.server._doors) <= 64
        await until(lambda: not any(door._refused for door in running.server._doors))
        for caller in refused:
            caller.writer.close()


async def test_connections_of_one_caller() -> None:
    limits = Limits(connections_per_caller=2)
    async with listening(waiting(asyncio.Event(), 2), limits=limits) as running:
        busy = [await running.caller() for _ in range(2)]
        for caller in busy:
            await caller.send(request())
        await until(lambda: running.meters.calls == 2)
        async with await running.caller() as third:
            assert (await third.hear()).slug == "too_many_connections"
        assert running.reached == ["connections_per_caller"]
        assert running.meters.refused == {"calls": 0, "connections": 0}
        # Another caller: Linux has all of 127.0.0.0/8.
        other = await asyncio.open_connection(*running.address, local_addr=("127.0.0.2", 0))
        async with Caller(*other) as fourth:
            assert (await fourth.call(request())).status == 200
        for caller in busy:
            caller.writer.close()


async def test_an_idle_connection_of_the_same_caller_makes_room() -> None:
    async with (
        listening(limits=Limits(connections_per_caller=1)) as running,
        await running.caller() as first,
    ):
        assert (await first.call(request())).status == 200
        async with await running.caller() as second:
            assert (await second.call(request())).status == 200
            assert await first.ended() == b""


# Time-outs.


async def test_a_connection_that_says_nothing_is_closed_in_the_time_of_a_header() -> None:
    async with listening(limits=Limits(header_timeout=0.1)) as running:
        async with await running.caller() as caller:
            assert await caller.ended() == b""
        assert running.reached == ["header_timeout"]
        assert running.reports.began == []


async def test_a_header_that_begins_late_has_its_whole_time() -> None:
    limits = Limits(header_timeout=1.0)
    async with listening(limits=limits) as running, await running.caller() as caller:
        await until(lambda: running.connections)
        (connection,) = running.connections
        await asyncio.sleep(0.5)
        await caller.send(request()[:5])
        await until(lambda: connection._head_timer)
        await until(lambda: connection._keepalive_handle is None)  # the first time is over
        await caller.send(request()[5:])
        assert (await caller.hear()).status == 200


async def test_a_connection_that_carried_a_call_is_kept_longer() -> None:
    limits = Limits(header_timeout=0.5, keepalive_timeout=1.0)
    async with listening(limits=limits) as running, await running.caller() as caller:
        assert (await caller.call(request())).status == 200
        began = time.monotonic()
        assert await caller.ended() == b""
        assert time.monotonic() - began > 0.8
        assert running.reached == ["keepalive_timeout"]


async def test_a_connection_that_carried_a_call_may_be_kept_less_long() -> None:
    limits = Limits(header_timeout=60.0, keepalive_timeout=0.2)
    async with listening(limits=limits) as running, await running.caller() as caller:
        for _ in range(2):
            assert (await caller.call(request())).status == 200
        assert await caller.ended() == b""
        assert running.reached == ["keepalive_timeout"]


async def test_header_limits_of_ones_own() -> None:
    limits = Limits(header_bytes=2048, header_fields=10)
    async with listening(limits=limits) as running:
        fields = [b"X-%d: y" % number for number in range(10)]
        async with await running.caller() as caller:
            assert (await caller.call(request(b"/", *fields[:8]))).status == 200
            assert (await caller.call(request(b"/", *fields))).slug == "headers_too_large"
        long = b"X-Long: " + b"y" * 2100
        async with await running.caller() as caller:
            assert (await caller.call(request(b"/", long))).slug == "headers_too_large"
        async with await running.caller() as caller:  # one that never ends
            await caller.send(b"GET / HTTP/1.1\r\nX-Long: " + b"y" * 3000)
            assert (await caller.hear()).slug == "headers_too_large"
        assert running.reached == ["header_fields", "header_bytes", "header_bytes"]


async def slow_caller(running: Listening) -> Caller:
    """One whose kernel takes little that it does not read."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, running.address)
    return Caller(*await asyncio.open_connection(sock=sock, limit=KIB))


def small_send_buffer(running: Listening) -> Connection:
    (connection,) = running.connections
    assert connection.transport is not None
    sock = connection.transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    return connection


async def test_an_answer_that_has_ended_is_not_kept_for_ever() -> None:
    reply = Reply(200, [], [b"x" * 50 * KIB])
    limits = Limits(send_timeout=0.2)
    async with listening(ScriptedUpstream(Reply(), reply), limits=limits) as running:
        async with await slow_caller(running) as caller:
            assert (await caller.call(request())).status == 200
            connection = small_send_buffer(running)
            await caller.send(request())
            (_, report) = await running.reports.get(2)
            assert report.bytes_out == 50 * KIB  # all of it is the gateway's to send
            assert connection._unsent._timer is not None
            await until(lambda: not running.connections)
        assert running.reached == ["send_timeout"]


async def test_a_caller_that_takes_little_but_takes_it_is_served() -> None:
    size = 400 * KIB
    reply = Reply(200, [(b"Content-Length", b"%d" % size)], [b"x" * 4 * KIB] * 100)
    limits = Limits(send_timeout=1.0)
    async with listening(ScriptedUpstream(Reply(), reply), limits=limits) as running:
        async with await slow_caller(running) as caller:
            assert (await caller.call(request())).status == 200
            small_send_buffer(running)
            await caller.send(request())
            began, got = time.monotonic(), 0
            head = await caller.hear_head()
            assert head.status == 200
            while got < size:
                got += len(await caller.reader.read(8 * KIB))
                await asyncio.sleep(0.02)
            assert time.monotonic() - began > 1  # longer than the time-out as a whole
        assert running.reached == []


# Bodies that are kept.


async def test_bodies_together_go_to_disk_early_and_then_are_not_kept() -> None:
    limits = Limits(kept_memory=100 * KIB, kept_disk=200 * KIB)
    replies = [Reply(200, waits=asyncio.Event()) for _ in range(3)]
    async with listening(
        ScriptedUpstream(*replies), limits=limits, memory_limit=MIB, disk_limit=4 * MIB
    ) as running:
        callers = [await running.caller() for _ in range(3)]
        meters = running.meters

        async def upload(place: int, holds: Callable[[], bool]) -> None:
            await callers[place].send(request(method=b"POST", body=b"x" * 90 * KIB))
            await until(holds)

        await upload(0, lambda: meters.kept_memory == 90 * KIB)
        await upload(1, lambda: meters.kept_disk > 0 and meters.kept_memory <= 100 * KIB)
        assert running.reached == ["kept_memory"]
        for reply in replies:
            assert reply.waits is not None
            reply.waits.set()
        for caller in callers[:2]:
            assert (await caller.hear()).status == 200
        await until(lambda: (meters.kept_memory, meters.kept_disk) == (0, 0))
        for caller in callers:
            caller.writer.close()


@pytest.mark.parametrize("kept_disk", [0, 10 * KIB])
async def test_a_body_that_may_be_kept_nowhere_is_forwarded_and_its_refusal_passed_on(
    kept_disk: int,
) -> None:
    limits = Limits(kept_memory=KIB, kept_disk=kept_disk)
    async with (
        listening(ScriptedUpstream(refusal()), limits=limits) as running,
        await running.caller() as caller,
    ):
        heard = await caller.call(request(method=b"POST", body=b"x" * 50 * KIB))
        assert heard.status == 401
        assert running.upstream.sent[0].body == b"x" * 50 * KIB
        (report,) = await running.reports.get()
        assert report.outcome == "impossible"
        assert running.reached == ["kept_memory", "kept_disk"]


# TLS.


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    """With a certificate that vouches for itself."""
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    make_ca(certificate, key)
    context = TlsSettings(certificate_file=certificate, key_file=key).context(Context)
    return Tls(lambda: context, lambda _: None)


async def test_a_handshake_counts_and_has_the_time_of_a_header(tls: Tls) -> None:
    limits = Limits(header_timeout=2.0, connections=2)
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    async with listening(limits=limits, tls=tls) as running:
        async with await running.caller() as silent, await running.caller() as babbling:
            await until(lambda: running.meters.connections == 2)
            async with await running.caller() as third:
                assert await third.ended() == b""  # before TLS nothing can be said
            assert running.reached == ["connections"]
            await babbling.send(request())  # no TLS either
            await babbling.ended()
            assert await silent.ended() == b""
        await until(lambda: running.meters.connections == 0)
        speaking = await asyncio.open_connection(*running.address, ssl=trusting)
        async with Caller(*speaking) as caller:
            assert (await caller.call(request())).status == 200
