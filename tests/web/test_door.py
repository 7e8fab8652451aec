"""Who is on the way in, over TLS: sent away for others, or ended in the moment of coming in."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import uvloop

from gateway.core.limits import Limits
from gateway.settings.tls import TlsSettings
from gateway.web.connection import Connection
from gateway.web.door import Door
from gateway.web.listener import Tls
from gateway.web.tls import Context, Failed, Failure, Greeter
from tests.stores.certificates import Authority
from tests.support.listening import listening, until
from tests.support.raw_http import Caller, request

LOOPS = [asyncio.new_event_loop, uvloop.new_event_loop]
Loop = Callable[[], asyncio.AbstractEventLoop]


@pytest.fixture
def ca(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def server_context(ca: Authority) -> Context:
    made = ca.issue("127.0.0.1")
    settings = TlsSettings(certificate_file=made.certificate, key_file=made.key)
    context = settings.context(Context)
    assert isinstance(context, Context)
    return context


@pytest.mark.parametrize("new_loop", LOOPS)
def test_who_connects_and_is_silent_bars_nobody(new_loop: Loop, ca: Authority) -> None:
    failed: list[Failed] = []
    context = server_context(ca)

    async def call() -> None:
        limits = Limits(connections=3)
        tls = Tls(lambda: context, failed.append)
        async with listening(limits=limits, tls=tls, client=ca.context()) as running:
            silent = [await Caller.connect(running.address) for _ in range(3)]
            await until(lambda: running.meters.connections == 3)
            async with await running.caller() as caller:
                assert (await caller.call(request())).status == 200
                assert await silent[0].ended() == b""
                assert [one.kind for one in failed] == [Failure.CROWDED]
                assert running.meters.connections == 3
                # The next one takes the place of who is idle, not of who is on the way in.
                async with await running.caller() as another:
                    assert (await another.call(request())).status == 200
                    assert await caller.ended() == b""
                assert len(failed) == 1
            for one in silent:
                await one.__aexit__(None, None, None)
            await until(lambda: running.meters.connections == 0)
            assert running.unhandled == []

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(call())


@pytest.mark.parametrize("new_loop", LOOPS)
def test_a_door_that_closes_on_who_just_came_in_leaves_no_transport(
    new_loop: Loop, ca: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A transport beyond its socket reads and writes what is another connection's by then."""
    context, closing = server_context(ca), list[asyncio.Task[None]]()
    doors: list[Door] = []
    begin, open_door = Connection.connection_made, Door.open

    def made(self: Connection, transport: asyncio.BaseTransport) -> None:
        begin(self, transport)
        closing.append(asyncio.get_running_loop().create_task(doors[0].close()))

    def opened(self: Door) -> None:
        doors.append(self)
        open_door(self)

    monkeypatch.setattr(Connection, "connection_made", made)
    monkeypatch.setattr(Door, "open", opened)

    async def call() -> None:
        errors: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, told: errors.append(told))
        tls = Tls(lambda: context, lambda _: None)
        async with listening(tls=tls, client=ca.context()) as running:
            async with await running.caller() as caller:
                await until(lambda: closing)
                await closing[0]
                async with asyncio.timeout(2):  # less than TLS's farewell takes
                    assert await caller.ended() == b""
                    while running.connections:
                        await asyncio.sleep(0.001)
            assert running.meters.connections == 0
            assert running.unhandled == []
            assert errors == []

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(call())


async def test_a_greeting_that_is_over_cannot_be_ended(ca: Authority) -> None:
    greeter = Greeter(lambda: server_context(ca), lambda _: None)
    task = asyncio.current_task()
    assert task is not None
    assert not greeter.end(task)
