import asyncio

from gateway.outbox import Outbox


async def test_what_is_put_in_leaves_together_at_the_end_of_the_turn() -> None:
    outbox, left = Outbox(), list[bytes]()
    loop = asyncio.get_running_loop()
    outbox.put(loop, left.append, b"one")
    outbox.put(loop, left.append, b"two")
    assert left == []
    await asyncio.sleep(0)
    assert left == [b"one", b"two"]
    outbox.put(loop, left.append, b"three")
    await asyncio.sleep(0)
    assert left == [b"one", b"two", b"three"]


async def test_who_cannot_wait_takes_along_what_came_before() -> None:
    outbox, left = Outbox(), list[bytes]()
    outbox.put(asyncio.get_running_loop(), left.append, b"one")
    outbox.flush()
    assert left == [b"one"]
    outbox.put(asyncio.get_running_loop(), left.append, b"two")
    await asyncio.sleep(0)
    assert left == [b"one", b"two"]
    outbox.flush()
    assert left == [b"one", b"two"]


async def test_what_is_put_in_while_others_leave_leaves_later() -> None:
    outbox, left = Outbox(), list[bytes]()
    loop = asyncio.get_running_loop()

    def leave(data: bytes) -> None:
        left.append(data)
        outbox.put(loop, left.append, b"again")

    outbox.put(loop, leave, b"one")
    outbox.flush()
    assert left == [b"one"]
    await asyncio.sleep(0)
    assert left == [b"one", b"again"]
