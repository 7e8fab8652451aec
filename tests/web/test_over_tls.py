"""What matters without TLS matters with it: the same tests once more, on either loop.

TLS lies between our transport and the socket, and each does otherwise what those did: no half
close, other buffers, a farewell, aborts that reach the socket or not.
"""

import asyncio
import inspect
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import uvloop

from gateway.settings.tls import TlsSettings
from gateway.web import connection as connection_module
from gateway.web.listener import Tls
from gateway.web.tls import Context, Failed
from tests.stores.certificates import Authority
from tests.support.listening import KIB, Spoken, listening
from tests.support.raw_http import request
from tests.support.scripted_upstream import Reply, ScriptedUpstream
from tests.web import (
    test_callers,
    test_draining,
    test_framing,
    test_passing_through,
    test_refusals,
)

LOOPS = [asyncio.new_event_loop, uvloop.new_event_loop]
CUT = test_callers.CUT
SAME: list[Callable[..., Any]] = [
    *(
        partial(test_framing.test_bad_framing_is_refused_and_the_connection_ends, name, pace)
        for name in list(test_framing.BAD)[::8]
        for pace in (0, 7)
    ),
    test_framing.test_a_body_that_breaks_on_its_way_spoils_its_call_alone,
    test_framing.test_a_body_that_breaks_after_the_answer_began_ends_the_connection,
    test_framing.test_pipelined_calls_are_answered_in_order,
    test_framing.test_garbage_behind_a_call_does_not_hurt_it,
    test_framing.test_the_body_is_asked_for_when_it_is_wanted,
    test_framing.test_a_body_that_nobody_wanted_ends_the_connection,
    test_framing.test_an_early_answer_to_a_big_body_arrives_and_the_connection_goes_on,
    test_framing.test_a_head_that_comes_too_slowly,
    test_framing.test_a_body_that_comes_too_slowly,
    test_framing.test_an_unfinished_head_has_the_same_limit,
    test_callers.test_leaving_before_the_answer_cancels_the_call,
    test_callers.test_leaving_while_a_better_token_is_awaited,
    test_callers.test_leaving_in_the_middle_of_ones_own_body,
    test_callers.test_leaving_in_the_middle_of_the_answer,
    *(
        partial(test_callers.test_a_cut_answer_never_looks_complete, reply, version)
        for reply in (
            Reply(200, [(b"Content-Length", b"100")], [b"half", CUT]),
            Reply(200, [], [b"half", CUT]),
        )
        for version in (b"1.1", b"1.0")
    ),
    test_callers.test_http_1_0_hears_of_a_cut_by_a_reset,
    test_callers.test_a_slow_caller_slows_zoom_down,
    test_callers.test_a_caller_that_takes_nothing_is_given_up,
    test_callers.test_a_pipelining_caller_that_reads_nothing_is_held_up,
    test_callers.test_many_callers_at_once,
    test_draining.test_while_draining_every_answer_closes_its_connection,
    test_draining.test_finishing_waits_for_calls_and_ends_idle_connections,
    test_draining.test_an_answer_that_streams_is_finished,
    test_draining.test_what_lasts_longer_is_cut_and_counted,
    test_draining.test_the_last_bytes_of_a_slow_caller_still_leave,
    test_draining.test_a_caller_that_lingers_does_not_hold_us_up,
    test_draining.test_half_a_header_does_not_hold_us_up,
    test_draining._everything,
    test_passing_through.test_the_head_and_every_piece_come_without_delay,
    test_passing_through.test_large_bodies_go_through_both_ways_at_once,
    test_passing_through.test_http_1_0_gets_no_chunks_but_the_connections_end,
    partial(
        test_refusals.test_a_refused_post_is_sent_again_with_its_whole_body,
        reads="some",
        size=900 * KIB,
        chunked=True,
    ),
]


def name(test: Callable[..., Any]) -> str:
    return f"{test.func.__name__}-{test.args}" if isinstance(test, partial) else test.__name__


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def spoken(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Failed]]:
    made, failed = authority.issue("127.0.0.1"), list[Failed]()
    settings = TlsSettings(
        certificate_file=made.certificate, key_file=made.key, client_ca_file=authority.file
    )
    context = settings.context(Context)
    monkeypatch.setattr(Spoken, "tls", Tls(lambda: context, failed.append))
    monkeypatch.setattr(Spoken, "client", authority.context(authority.issue("client")))
    # There is no half of TLS to be closed, so that the caller waits for it.
    monkeypatch.setattr(connection_module, "LINGER_BROKEN", 0.2)
    yield failed
    assert failed == []


@pytest.mark.usefixtures("spoken")
@pytest.mark.parametrize("new_loop", LOOPS)
@pytest.mark.parametrize("test", SAME, ids=name)
def test_as_without(
    test: Callable[..., Any],
    new_loop: Callable[[], asyncio.AbstractEventLoop],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    fixtures = {"monkeypatch": monkeypatch, "tmp_path": tmp_path}
    given = {one: fixtures[one] for one in inspect.signature(test).parameters if one in fixtures}
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(test(**given))


@pytest.mark.usefixtures("spoken")
async def test_it_is_tls_that_is_spoken_here() -> None:
    """Else the tests above would be those without TLS, once more."""
    async with listening() as running, await running.caller() as caller:
        await caller.call(request())
        assert running.connections[0].secure
        (report,) = await running.reports.get()
        assert (report.secure, report.caller_name) == (True, "dns:client")


async def _an_upstream_that_reads_nothing() -> None:
    go, size = asyncio.Event(), 20_000 * KIB
    upstream = ScriptedUpstream(Reply(200, reads="none", waits=go))
    async with listening(upstream) as running, await running.caller() as caller:
        await caller.send(request(b"/v2/x", b"Content-Length: %d" % size, method=b"POST"))
        sent = 0
        while sent < size:
            try:
                async with asyncio.timeout(1):
                    await caller.send(b"x" * 64 * KIB)
            except TimeoutError:
                break
            sent += 64 * KIB
        assert sent < 15_000 * KIB
        go.set()
        assert (await caller.hear()).status == 200
        caller.writer.transport.abort()


@pytest.mark.usefixtures("spoken")
@pytest.mark.parametrize("new_loop", LOOPS)
def test_a_slow_upstream_slows_the_caller_down(
    new_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(_an_upstream_that_reads_nothing())
