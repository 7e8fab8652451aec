"""The quick start, followed to the letter: each command answers what the page shows.

`...` in the page stands for anything; the ports are others.
"""

import asyncio
import re
import shlex
from dataclasses import dataclass
from functools import partial
from typing import Final

from tests.docs.pages import DOCS, blocks
from tests.support.curl import curl
from tests.support.processes import (
    ROOT,
    Process,
    credentials,
    environment,
    eventually,
    gateway,
    simulator,
)

PAGE: Final = DOCS / "quick-start.md"


@dataclass(frozen=True)
class Step:
    command: str
    answer: str


def steps(section: str) -> list[Step]:
    """The commands below a heading, and what the page says that they answer."""
    lines = PAGE.read_text().splitlines()
    begin = lines.index(f"## {section}")
    end = next(
        (place for place in range(begin + 1, len(lines)) if lines[place].startswith("## ")),
        len(lines),
    )
    found = []
    for block in blocks(PAGE, "console"):
        if begin < block.line <= end:
            for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
                command, _, answer = part.partition("\n")
                found.append(Step(command, answer))
    return found


def fits(said: str, shown: str) -> bool:
    pattern = ".*?".join(re.escape(part) for part in shown.strip().split("..."))
    return re.fullmatch(pattern, said.strip(), re.DOTALL) is not None


def test_what_fits() -> None:
    assert fits('{"id":"a","b":1}\n', '{"id":"a",...}')
    assert not fits('{"id":"b"}', '{"id":"a"...}')
    assert not fits("All is well.\nMore.", "All is well.")


async def run(*arguments: str, **variables: str) -> str:
    """The output of a command of the gateway."""
    child = await Process.start(*arguments, env=environment(**variables))
    await child.ended()
    return child.output


async def follow(step: Step, admin: str) -> None:
    """Do a step that ends by itself, until it answers as shown or the time is up."""
    words = shlex.split(step.command)
    shows: list[str] = [""]

    async def try_it() -> bool:
        if words[0] == "curl":
            shows[0] = (await curl(step.command))[1]
        else:
            assert words == [".venv/bin/zoom-gateway", "status"]
            shows[0] = re.sub(r" +$", "", await run("status", "--url", admin), flags=re.MULTILINE)
        return fits(shows[0], step.answer)

    async with asyncio.timeout(30):
        while not await try_it():
            # Only a status may need a moment: what was seen of a call follows the call.
            assert words[0] != "curl", f"{step.command}\n{shows[0]}"
            await asyncio.sleep(0.05)


async def test_see_it_work() -> None:
    todo = steps("See it work")
    assert [step.command.split()[0] for step in todo] == 3 * ["curl"] + [".venv/bin/zoom-gateway"]
    ports = ("--port", "0", "--admin-port", "0", "--sim-port", "0")
    child = await Process.start("demo", *ports, env=environment())
    try:
        await child.wait_for_line("Ctrl-C ends it")
        await child.wait_for_line("Minted token 1")
        text = child.output
        there = {
            "http://127.0.0.1:8080": re.findall(r"listens on (http://\S+),", text)[0],
            "http://127.0.0.1:8081": re.findall(r"POST (http://\S+)/_sim", text)[0],
        }
        admin = re.findall(r"Its state: +(http://\S+)/", text)[0]
        for step in todo:
            command = step.command
            for shown, real in there.items():
                command = command.replace(shown, real)
            await follow(Step(command, step.answer), admin)
    finally:
        await child.kill()


def _has(child: Process, shown: str) -> bool:
    return any(fits(line, shown) for line in child.lines)


async def test_with_your_own_app() -> None:
    check, serve = steps("With your own app")
    async with simulator() as sim:
        assert check.command == ".venv/bin/zoom-gateway check --mint"
        said = await run("check", "--mint", **credentials(sim))
        assert fits(said, check.answer), said

        assert serve.command == ".venv/bin/zoom-gateway serve"
        child = await Process.start("serve", env=environment(**credentials(sim)))
        try:
            for shown in serve.answer.splitlines():
                await eventually(partial(_has, child, shown), shown)
        finally:
            await child.kill()


async def test_with_your_own_program() -> None:
    todo = steps("With your own program")
    assert len(todo) == 2
    async with simulator() as sim, gateway(sim) as gate:
        for step in todo:
            command = step.command.replace("http://127.0.0.1:8080", gate.url)
            await follow(Step(command, step.answer), gate.admin)


def test_the_command_is_where_make_puts_it() -> None:
    assert "VENV  := .venv\n" in (ROOT / "Makefile").read_text()
    assert steps("See it work")[-1].command.startswith(".venv/bin/zoom-gateway ")
