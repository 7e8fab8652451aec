"""The README's commands do what it says."""

import asyncio
import json
import re
import shlex

from tests.support.curl import curl
from tests.support.processes import ROOT, Process, credentials, environment, simulator

README = (ROOT / "README.md").read_text()


def blocks() -> list[list[str]]:
    """The lines of each code block."""
    return [block.strip().splitlines() for block in re.findall(r"```\n(.*?)```", README, re.DOTALL)]


async def test_the_two_commands_of_the_demo() -> None:
    demo, called = blocks()[2], blocks()[3]
    assert demo == ["make demo"]
    assert called == ["curl http://127.0.0.1:8080/v2/users"]
    recipe = (ROOT / "Makefile").read_text()
    assert re.search(r"^demo: .*\n\t@\$\(BIN\)/zoom-gateway demo$", recipe, re.MULTILINE)
    ports = ("--port", "0", "--admin-port", "0", "--sim-port", "0")
    child = await Process.start("demo", *ports, env=environment())
    try:
        line = await child.wait_for_line("The gateway listens on")
        address = re.search(r"http://[\d.:]+", line)
        assert address
        status, said = await curl(called[0].replace("http://127.0.0.1:8080", address[0]))
        assert status == 200
        assert len(json.loads(said)["users"]) == 30
    finally:
        await child.kill()


async def test_what_the_demo_says_to_try_works() -> None:
    ports = ("--port", "0", "--admin-port", "0", "--sim-port", "0")
    child = await Process.start("demo", *ports, env=environment())
    try:
        await child.wait_for_line("Ctrl-C ends it")
        tried = [
            part for line in child.lines for part in re.findall(r"^    (curl .*?)(?:  |$)", line)
        ]
        assert len(tried) >= 6
        for command in tried:
            status, said = await curl(command)
            assert status == 200, f"{command}: {said}"
    finally:
        await child.kill()


async def test_the_status_command_that_the_demo_prints_works_without_a_path() -> None:
    ports = ("--port", "0", "--admin-port", "0", "--sim-port", "0")
    child = await Process.start("demo", *ports, env=environment())
    try:
        command = await child.wait_for_line(" status --url http://")
        await child.wait_for_line("Minted token 1")
        status = await asyncio.create_subprocess_exec(
            *shlex.split(command),
            env=environment(PATH=""),
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await status.communicate()
        assert (status.returncode, said[:3]) == (0, b"ok "), said.decode()
    finally:
        await child.kill()


async def test_the_commands_to_use_it() -> None:
    exports, *commands = blocks()[4]
    assert exports.startswith("export ZOOM_ACCOUNT_ID=")
    async with simulator() as sim:
        for command in commands:
            program, *arguments = command.split()
            assert program == ".venv/bin/zoom-gateway"
            child = await Process.start(*arguments, env=environment(**credentials(sim)))
            try:
                if arguments == ["serve"]:
                    await child.wait_for_line('"event":"started"')
                else:
                    assert await child.ended() == 0, child.output
            finally:
                await child.kill()
