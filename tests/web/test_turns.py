import asyncio
import contextlib

from gateway.web.turns import AT_ONCE, Turns
from tests.support.listening import listening
from tests.support.raw_http import request


async def test_so_many_are_taken_up_in_a_turn_and_the_others_in_their_order() -> None:
    turns, taken = Turns(), list[int]()
    loop = asyncio.get_running_loop()
    for number in range(3 * AT_ONCE):
        if turns.take(loop):
            taken.append(number)
        else:
            turns.wait(lambda number=number: taken.append(number))  # type: ignore[misc]
    assert taken == [*range(AT_ONCE)]
    await asyncio.sleep(0)
    assert taken == [*range(2 * AT_ONCE)]
    assert not turns.take(loop)
    await asyncio.sleep(0)
    assert taken == [*range(3 * AT_ONCE)]
    await asyncio.sleep(0)
    assert turns.take(loop)


async def test_bodies_in_many_small_pieces_arrive_whole_and_in_order() -> None:
    body = bytes(range(256)) * 2
    many = 3 * AT_ONCE
    async with listening() as running, contextlib.AsyncExitStack() as stack:
        callers = [await stack.enter_async_context(await running.caller()) for _ in range(many)]
        for caller in callers:
            await caller.send(request(method=b"POST", body=body)[: -len(body)])
        for at in range(0, len(body), 16):
            for caller in callers:
                await caller.send(body[at : at + 16])
            if at % 64 == 0:
                await asyncio.sleep(0)
        for caller in callers:
            assert (await caller.hear()).status == 200
        assert [bytes(one.body) for one in running.upstream.sent] == [body] * many
