"""How check says it: words, JSON, exit codes, interruptions; and what it never says."""

import asyncio
import json
import re
import signal
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.doctor.codes import Code
from gateway.cli.doctor.findings import Finding, Level, report
from gateway.cli.doctor.running import Deadline, Section, run
from tests.cli.doctor.bench import HUNG, account, check, faked, result, said, started
from tests.support.load import control, session, state
from tests.support.processes import credentials, simulator

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "check.md"
CANARY = "canary-31c9-secret"


async def test_words_and_json_say_the_same() -> None:
    async with simulator() as sim:
        variables = {**credentials(sim), "ZOOM_GATEWAY_LISTEN_PORT": "1"}
        words, found = await said("--mint", **variables), await check("--mint", **variables)
    assert words.exit_code == found.exit_code == 1
    lines = words.stdout.splitlines()
    for one in found.findings:
        # What was measured differs.
        sentence = re.sub(r"\d+ ms|\d+\.\d GiB", "", one["sentence"])
        told = [line for line in lines if sentence == re.sub(r"\d+ ms|\d+\.\d GiB", "", line[9:])]
        assert told, one
        assert told[0].startswith(one["level"])
        assert not one["advice"] or f"{'':9}-> {one['advice']}" in lines
    headings = [
        "Configuration",
        "Listeners",
        "Bodies",
        "Store",
        "Zoom's token endpoint",
        "Zoom's API",
        "Credentials",
    ]
    assert [line for line in lines if line in headings] == headings
    assert lines[-1].startswith(f"1 of {len(found.findings)} findings need attention")


async def test_a_configuration_that_cannot_be_used_is_json_too(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text("listen: {port: 70000}\nstorre: {}\n")
    found = await check("--config", str(file), ZOOM_GATEWAY_LOG__LEVEL=CANARY)
    assert found.exit_code == 2
    assert found.stderr == ""
    assert {one["about"] for one in found.all("configuration")} == {
        "listen.port",
        "storre",
        "log.level",
        "accounts",
    }
    assert {one["level"] for one in found.findings} == {"problem"}
    assert CANARY not in found.stdout
    missing = await check("--config", str(tmp_path / "none.yaml"))
    assert missing.exit_code == 2
    assert missing.one("configuration")["about"] == str(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    "arguments", [("--ignore", "nonsense"), ("--account", "nobody"), ("--timeout", "0")]
)
async def test_options_that_make_no_sense(arguments: tuple[str, ...]) -> None:
    found = await said(*arguments, **account("http://127.0.0.1:1"))
    assert found.exit_code == 2
    assert arguments[0] in found.stderr
    assert found.stdout == ""


async def test_interrupted_it_ends_at_once_and_quietly() -> None:
    async with simulator() as sim, session() as client:
        variables = {**credentials(sim), **faked(here_test=HUNG)}
        variables["ZOOM_GATEWAY_LISTEN__HOST"] = "here.test"
        child = await started("--timeout", "300", variables=variables)
        async with asyncio.timeout(30):
            while "GET /oauth/token" not in (await state(client, sim))["endpoints"]:
                await asyncio.sleep(0.02)
        child.send_signal(signal.SIGINT)
        found = await result(child)
    assert found.exit_code == 130
    assert found.stdout == ""
    assert found.stderr == "Interrupted.\n"


FAULTS: tuple[dict[str, Any], ...] = (
    {},
    {"mint_status": 500},
    {"mint_status": 400, "mint_body": {"reason": f"no {CANARY}", "error": "x"}},
    {"mint_status": 200, "mint_body": f'{{"access_token": 7, "x": "{CANARY}"}}'},
    {"refuse_all": True},
    {"drop": "mid_body", "drop_share": 1},
)


@pytest.mark.timeout(300)  # seven processes, and a machine that may be busy
async def test_no_secret_and_no_token_shows_anywhere() -> None:
    outputs = []
    secrets = {
        "ZOOM_CLIENT_SECRET": CANARY,
        "ZOOM_GATEWAY_STORE__URL": "redis://:canary-store@127.0.0.1:1",
        "HTTPS_PROXY": "http://u:canary-proxy@127.0.0.1:1",
        "ZOOM_GATEWAY_CLIENT_SECRET": "canary-stray",
    }
    async with simulator() as sim, session() as client:
        body = {"app": "demo-client", "client_secret": CANARY}
        await control(client, sim, "rotate-secret", body)
        for faults in FAULTS:
            await control(client, sim, "faults", faults, "PUT")
            options = ("--json", "--mint", "--probe-invalidation", "--yes")
            outputs.append(await said(*options, **{**credentials(sim), **secrets}))
        wrong = {**credentials(sim), **secrets, "ZOOM_CLIENT_SECRET": f"{CANARY}-wrong"}
        outputs.append(await said("--mint", **wrong))
    assert "mint_ok" in outputs[0].stdout
    for one in outputs:
        assert "canary" not in one.stdout + one.stderr
        assert "eyJ" not in one.stdout + one.stderr  # a token begins like that
        assert "Traceback" not in one.stderr


async def test_a_check_that_fails_by_itself_spoils_no_other() -> None:
    async def good() -> Any:
        yield Finding(Code.SPOOL_OK, Level.OK, "x", "Well.")

    async def bad() -> Any:
        yield Finding(Code.SPOOL_OK, Level.OK, "x", "Well.")
        raise RuntimeError(CANARY)

    sections = [Section("One", [bad, good]), Section("Two", [good])]
    await run(sections, Deadline(10))
    assert [one.code.value for one in sections[0].found] == ["spool_ok", "defect", "spool_ok"]
    assert [one.code.value for one in sections[1].found] == ["spool_ok"]
    assert CANARY not in repr(sections)
    assert "RuntimeError" in sections[0].found[1].sentence


def test_what_a_server_says_does_not_steer_the_terminal() -> None:
    lines: list[str] = []
    report("", [Finding(Code.TLS_OK, Level.OK, "x", "by \x1b[31mEvil", "\r->")], lines.append)
    assert lines == ["ok       by ?[31mEvil", "         -> ?->", ""]


def test_the_page_explains_each_code_and_no_other() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if re.match(r"\| `[a-z]", line)]
    cells = [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows]
    found = [code for first, *_ in cells for code in re.findall(r"`(\w+)`", first)]
    assert sorted(found) == sorted(code.value for code in Code)
    levels = {level.value for level in Level}
    for _, level, meaning, what_to_do in cells:
        assert set(re.findall(r"\w+", level)) <= levels
        assert meaning
        assert what_to_do


def test_each_code_is_shown_by_a_test() -> None:
    tests = "".join(file.read_text() for file in Path(__file__).parent.glob("test_*.py"))
    missing = [code.value for code in Code if f'"{code.value}"' not in tests]
    assert missing == []


async def test_the_list_is_all_that_is_on_standard_output() -> None:
    async with simulator() as sim:
        found = await check(**credentials(sim))
    assert json.loads(found.stdout)
    assert found.stderr == ""
    assert found.one("configuration_ok")["details"] == {"accounts": ["default"]}
