"""TLS on the proxy port: who is let in, who is told why not, and what ends a connection."""

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import uvloop
from cryptography import x509

from gateway.settings.tls import TlsSettings
from gateway.web import door as door_module
from gateway.web import tls as tls_module
from gateway.web.listener import Tls
from gateway.web.tls import Context, Failed, Failure
from tests.stores.certificates import Authority, Issued
from tests.support.listening import Listening, listening, until
from tests.support.raw_http import Caller, request
from tests.support.scripted_upstream import Reply, ScriptedUpstream

LOOPS = [asyncio.new_event_loop, uvloop.new_event_loop]
V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
Loop = Callable[[], asyncio.AbstractEventLoop]


class World:
    """A CA, the gateway's certificate by it, and what a listener has of them."""

    def __init__(self, directory: Path) -> None:
        self.ca = Authority(directory)
        self.server = self.ca.issue("127.0.0.1")
        self.client = self.ca.issue("client")
        self.failed: list[Failed] = []
        self.context = self.make()
        self.current: Callable[[], Context] = lambda: self.context

    def make(self, server: Issued | None = None, **keys: Any) -> Context:
        shown = server or self.server
        keys = {"client_ca_file": self.ca.file, **keys}
        settings = TlsSettings(certificate_file=shown.certificate, key_file=shown.key, **keys)
        return settings.context(Context)

    @asynccontextmanager
    async def listening(self, upstream: ScriptedUpstream | None = None) -> AsyncIterator[Listening]:
        def current() -> Context:
            return self.current()

        tls = Tls(current, self.failed.append)
        async with listening(upstream, tls=tls, client=self.ca.context(self.client)) as running:
            yield running

    def kinds(self) -> list[Failure]:
        return [failed.kind for failed in self.failed]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def run(new_loop: Loop, waiting: Awaitable[None]) -> None:
    async def wait() -> None:
        await waiting

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(wait())


async def status(running: Listening, tls: ssl.SSLContext | None = None) -> int:
    async with await running.caller(tls=tls) as caller:
        return (await caller.call(request())).status


async def refused(running: Listening, tls: ssl.SSLContext | None) -> str:
    """Why a caller was not let in, as its own TLS tells it."""
    with pytest.raises(ssl.SSLError) as caught:
        await status(running, tls)
    return caught.value.reason or ""


@pytest.mark.parametrize("new_loop", LOOPS)
@pytest.mark.parametrize("version", [V12, V13])
def test_who_is_not_let_in_hears_why(
    new_loop: Loop, version: ssl.TLSVersion, world: World, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    stranger = Authority(tmp_path / "other", "stranger").issue("client")
    ended = world.ca.issue("ended", days=(-3, -1))
    none = {V12: "SSLV3_ALERT_HANDSHAKE_FAILURE", V13: "TLSV13_ALERT_CERTIFICATE_REQUIRED"}[version]

    def context(client: Issued | None) -> ssl.SSLContext:
        made = world.ca.context(client)
        made.minimum_version = made.maximum_version = version
        return made

    async def call() -> None:
        async with world.listening() as running:
            assert await status(running, context(world.client)) == 200
            assert await refused(running, context(None)) == none
            assert await refused(running, context(stranger)) == "TLSV1_ALERT_UNKNOWN_CA"
            assert await refused(running, context(ended)) == "SSLV3_ALERT_CERTIFICATE_EXPIRED"
            await until(lambda: len(world.failed) == 3)
            assert len(running.reports.ended) == 1

    run(new_loop, call())
    bad = Failure.BAD_CERTIFICATE
    assert world.kinds() == [Failure.NO_CERTIFICATE, bad, bad]
    assert world.failed[2] == Failed(bad, "127.0.0.1", "certificate has expired")


@pytest.mark.parametrize("new_loop", LOOPS)
def test_what_is_no_tls(new_loop: Loop, world: World) -> None:
    async def call() -> None:
        async with world.listening() as running:
            async with await Caller.connect(running.address) as plain:
                heard = await plain.call(request())
                assert (heard.status, heard.slug) == (400, "tls_required")
                assert "https://" in heard.json()["message"]
                assert await plain.ended() == b""
            async with await Caller.connect(running.address) as garbage:
                await garbage.send(b"\x80garbage")
                assert await garbage.ended() == b""
            async with await Caller.connect(running.address) as broken:
                await broken.send(b"\x16\x03\x01\x00\x05hello")
                assert (await broken.ended())[:1] == b"\x15"  # an alert
            async with await Caller.connect(running.address) as leaving:
                await leaving.send(b"\x16\x03")
            # A load balancer that looks whether the port is open.
            async with await Caller.connect(running.address):
                pass
            await until(lambda: len(world.failed) == 4)
            assert await status(running) == 200

    run(new_loop, call())
    expected = [Failure.PLAIN_HTTP, Failure.NOT_TLS, Failure.OTHER, Failure.GONE]
    assert world.kinds() == expected


@pytest.mark.parametrize("new_loop", LOOPS)
@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01"])
def test_a_handshake_that_stalls_is_ended(
    new_loop: Loop, sent: bytes, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door_module, "HANDSHAKE", 0.2)

    async def call() -> None:
        async with world.listening() as running:
            async with await Caller.connect(running.address) as slow:
                await slow.send(sent)
                assert await slow.ended() == b""
            assert world.kinds() == [Failure.TIMEOUT]

    run(new_loop, call())


@pytest.mark.parametrize("new_loop", LOOPS)
def test_too_many_handshakes_end_the_oldest(
    new_loop: Loop, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls_module, "HANDSHAKES", 3)

    async def call() -> None:
        async with world.listening() as running:
            slow = [await Caller.connect(running.address) for _ in range(3)]
            assert await status(running) == 200
            assert await slow[0].ended() == b""
            assert world.kinds() == [Failure.CROWDED]
            for one in slow:
                one.writer.close()

    run(new_loop, call())


@pytest.mark.parametrize("new_loop", LOOPS)
def test_new_connections_get_the_new_files_and_open_ones_stay(
    new_loop: Loop, world: World, tmp_path: Path
) -> None:
    """All of it: certificate, client CAs, whether one is asked for; and nothing of the old."""
    (tmp_path / "next").mkdir()
    successor = Authority(tmp_path / "next", "next")
    new = successor.issue("client")

    async def call() -> None:
        async with world.listening() as running, await running.caller() as kept:
            assert (await kept.call(request())).status == 200
            before = kept.writer.get_extra_info("peercert")["serialNumber"]

            world.context, old = world.make(client_ca_file=successor.file), running.tls
            assert await refused(running, old) == "TLSV1_ALERT_UNKNOWN_CA"
            assert await status(running, world.ca.context(new)) == 200

            optional = {"client_certificates": "optional", "client_ca_file": successor.file}
            world.context = world.make(world.ca.issue("127.0.0.1"), **optional)
            async with await running.caller(tls=world.ca.context()) as nameless:
                assert (await nameless.call(request())).status == 200
                shown = nameless.writer.get_extra_info("peercert")["serialNumber"]
            assert shown != before
            # A certificate that cannot be verified is not taken for none.
            assert await refused(running, old) == "TLSV1_ALERT_UNKNOWN_CA"
            assert (await kept.call(request())).status == 200
            names = [report.caller_name for report in running.reports.ended]
            assert names == ["dns:client", "dns:client", "", "dns:client"]

    run(new_loop, call())


@pytest.mark.parametrize("new_loop", LOOPS)
def test_who_was_let_in_by_other_rules_is_seen_out(new_loop: Loop, world: World) -> None:
    """An idle connection ends at once, one with a call in hand behind that call."""
    go = asyncio.Event()
    upstream = ScriptedUpstream(Reply(200), Reply(200, waits=go), Reply(200))

    async def call() -> None:
        async with (
            world.listening(upstream) as running,
            await running.caller() as idle,
            await running.caller() as busy,
        ):
            assert (await idle.call(request())).status == 200
            await busy.send(request())
            await upstream.arrived.wait()
            await until(lambda: len(upstream.sent) == 2)
            running.server.see_out()
            assert await idle.ended() == b""
            await busy.send(request())
            go.set()
            assert (await busy.hear()).one(b"connection") == b"close"
            assert await busy.ended() == b""
            assert len(upstream.sent) == 2
            assert await status(running) == 200

    run(new_loop, call())


@pytest.mark.parametrize("new_loop", LOOPS)
@pytest.mark.parametrize("look", [0.01, 3600.0], ids=["the clock is set", "the time comes"])
def test_who_came_by_a_certificate_that_has_ended_is_seen_out(
    new_loop: Loop, world: World, look: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An idle connection ends at once, one with a call in hand behind that call; others stay."""
    go = asyncio.Event()
    upstream = ScriptedUpstream(*[Reply(200)] * 3, Reply(200, waits=go), Reply(200), Reply(200))
    world.context = world.make(client_certificates="optional")
    nameless, longer = world.ca.context(), world.ca.context(world.ca.issue("longer", days=(-1, 9)))
    end = x509.load_pem_x509_certificate(world.client.certificate.read_bytes()).not_valid_after_utc
    # At a look the clock is asked, and not how long it was waited.
    now = end.timestamp() - (7200 if look < 1 else 0.01)
    monkeypatch.setattr("gateway.web.peer.LOOK", look)
    monkeypatch.setattr("gateway.web.peer.time.time", lambda: now)

    async def call() -> None:
        nonlocal now
        async with (
            world.listening(upstream) as running,
            await running.caller() as idle,
            await running.caller() as busy,
            await running.caller(tls=nameless) as without,
            await running.caller(tls=longer) as later,
        ):
            for one in (idle, without, later):
                assert (await one.call(request())).status == 200
            await busy.send(request())
            await until(lambda: len(upstream.sent) == 4)
            now = end.timestamp()
            assert await idle.ended() == b""
            await until(lambda: any(one.ending for one in running.connections))
            await busy.send(request())
            go.set()
            assert (await busy.hear()).one(b"connection") == b"close"
            assert await busy.ended() == b""
            assert len(upstream.sent) == 4
            for one in (without, later):
                assert (await one.call(request())).status == 200

    run(new_loop, call())


@pytest.mark.parametrize("new_loop", LOOPS)
def test_a_handshake_that_began_before_others_were_let_in(new_loop: Loop, world: World) -> None:
    async def call() -> None:
        async with world.listening() as running:
            world.context.admits = b"some"
            before, gave = world.context, 0

            def context() -> Context:
                nonlocal gave
                gave += 1
                return before if gave == 1 else world.make()

            world.current = context
            async with await running.caller() as late:
                with suppress(OSError):
                    await late.send(request())
                assert await late.ended() == b""
            assert running.reports.began == []
            assert await status(running) == 200

    run(new_loop, call())


async def test_the_names_of_a_caller_are_those_of_its_certificate(world: World) -> None:
    ids = ("spiffe://cluster.local/ns/Team/sa/reports", "Reports.Example", "A@Example.com", "::1")
    client = world.ca.issue(*ids)
    async with world.listening() as running:
        async with await running.caller(tls=world.ca.context(client)) as caller:
            await caller.call(request())
            (connection,) = running.connections
            assert connection.peer.names == {
                "spiffe://cluster.local/ns/Team/sa/reports",
                "dns:reports.example",
                "email:a@example.com",
                "ip:::1",
            }
            assert str(connection.peer.address) == "127.0.0.1"
        (report,) = await running.reports.get()
        assert (report.caller, report.caller_name) == ("127.0.0.1", ids[0])


async def test_http_1_1_is_agreed_on_and_the_oldest_version_is_heeded(world: World) -> None:
    world.context = world.make(minimum_version="1.3")
    async with world.listening() as running:
        new = world.ca.context(world.client)
        new.set_alpn_protocols(["h2", "http/1.1"])
        async with await running.caller(tls=new) as caller:
            tls = caller.writer.get_extra_info("ssl_object")
            assert (tls.selected_alpn_protocol(), tls.version()) == ("http/1.1", "TLSv1.3")
            assert (await caller.call(request())).status == 200
        old = world.ca.context(world.client)
        old.maximum_version = V12
        assert await refused(running, old) == "TLSV1_ALERT_PROTOCOL_VERSION"
        await until(lambda: world.kinds() == [Failure.VERSION])


def talk(
    address: tuple[str, int], context: ssl.SSLContext, session: ssl.SSLSession | None = None
) -> tuple[bytes, ssl.SSLSession | None, bool]:
    """One call: what came back, the session, and whether it was resumed."""
    plain = socket.create_connection(address, timeout=10)
    with context.wrap_socket(plain, server_hostname="127.0.0.1", session=session) as tls:
        answer = b""
        with contextlib.suppress(ConnectionError):
            tls.sendall(request(b"/v2/users/me", b"Connection: close"))
            answer = b"".join(iter(lambda: tls.recv(65536), b""))
        return answer[:12], tls.session, bool(tls.session_reused)


@pytest.mark.parametrize("version", [V12, V13])
async def test_no_session_outlives_the_certificate_or_the_ca_it_began_with(
    world: World, version: ssl.TLSVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = world.ca.context(world.client)
    context.maximum_version = version
    async with world.listening() as running:
        answer, session, _ = await asyncio.to_thread(talk, running.address, context)
        assert answer == b"HTTP/1.1 200"
        assert session is None or not session.has_ticket
        if version is V12:
            assert session is not None
            again = await asyncio.to_thread(talk, running.address, context, session)
            assert (again[0], again[2]) == (b"HTTP/1.1 200", True)
            # OpenSSL does not look at the certificate again.
            later = time.time() + 2 * 86400
            with monkeypatch.context() as patch:
                patch.setattr("gateway.web.peer.time.time", lambda: later)
                ended = await asyncio.to_thread(talk, running.address, context, session)
                assert ended[0] == b""
            world.context = world.make()
            fresh = await asyncio.to_thread(talk, running.address, context, session)
            assert (fresh[0], fresh[2]) == (b"HTTP/1.1 200", False)


async def test_half_a_handshake_does_not_hold_up_the_end(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.web.listener._GREETING", 0.1)
    async with world.listening() as running:
        silent, half = [await Caller.connect(running.address) for _ in range(2)]
        await half.send(b"\x16\x03\x01")
        await until(lambda: len(running.server._doors[0]._coming) == 2)
        assert await running.server.finish(10) == 0
        assert [await one.ended() for one in (silent, half)] == [b"", b""]
        with pytest.raises(OSError):  # noqa: PT011  which one depends on the system
            await Caller.connect(running.address)
        for one in (silent, half):
            one.writer.close()
    assert world.failed == []
