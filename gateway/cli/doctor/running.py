"""Checks side by side, against one deadline."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Thread
from typing import Final, ParamSpec, TypeVar

from gateway.cli.doctor.codes import Code
from gateway.cli.doctor.findings import Finding, Level

P = ParamSpec("P")
T = TypeVar("T")

LAST: Final = 1.0
"""Seconds for checks that are cut off to close what they opened."""

Check = Callable[[], AsyncIterator[Finding]]


class Deadline:
    """Seconds for all checks together; time at the prompt does not count."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        return max(0.0, self._end - time.monotonic())

    def put_off(self, seconds: float) -> None:
        self._end += seconds


@dataclass(slots=True)
class Section:
    """What belongs together. `found` grows as its checks go on, one after the other."""

    heading: str
    checks: Sequence[Check]
    cut: str = ""
    """What to say, beside that it was cut off, if it is."""
    found: list[Finding] = field(default_factory=list)

    async def run(self) -> None:
        for check in self.checks:
            try:
                # Closed here: what a check opened must not wait for the garbage collector.
                async for finding in check():
                    self.found.append(finding)
            except Exception as problem:  # noqa: BLE001  the other checks are worth having
                self.found.append(_defect(self.heading, problem))


async def run(sections: Sequence[Section], deadline: Deadline) -> None:
    """All at once; what takes too long is cut off, and says so."""
    tasks = {asyncio.create_task(section.run()): section for section in sections}
    _, late = await asyncio.wait(tasks, timeout=deadline.left())
    for task in late:
        task.cancel()
        tasks[task].found.append(_unfinished(tasks[task], deadline))
    if late:
        await asyncio.wait(late, timeout=LAST)


def _unfinished(section: Section, deadline: Deadline) -> Finding:
    return Finding(
        Code.UNFINISHED,
        Level.PROBLEM,
        section.heading,
        f"These checks did not end within {deadline.seconds:g} s, and were cut off. "
        f"{section.cut}".strip(),
        "Something on the way does not answer; --timeout gives more time.",
        {"timeout_ms": round(deadline.seconds * 1000)},
    )


def _defect(heading: str, problem: Exception) -> Finding:
    # Its text is left out: nobody knows what is in it.
    return Finding(
        Code.DEFECT,
        Level.PROBLEM,
        heading,
        f"A check failed by itself ({type(problem).__name__}); the others went on.",
        "This is a mistake in zoom-gateway: please report it.",
        {"exception": type(problem).__name__},
    )


class DaemonThreads(ThreadPoolExecutor):
    """A thread for each job, which nobody waits for: a resolver that hangs keeps no process alive.

    It is one of the library's class because the event loop takes no other.
    """

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = Future()

        def work() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as problem:  # noqa: BLE001  it is raised where it is waited for
                future.set_exception(problem)

        Thread(target=work, daemon=True).start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002  the library's signature
        del wait
        del cancel_futures


def milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
