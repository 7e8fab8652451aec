"""Rules and keys of a running gateway: changed while it runs, counted, logged."""

import asyncio
import re
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.e2e.test_reload import configured, status_of
from tests.support.load import control, session
from tests.support.processes import DEADLINE, eventually, simulator

KEY, NEXT = "first-key-0123456789", "next-key-0123456789a"

REPORTS = {
    "name": "reports",
    "callers": {"keys": ["reports"]},
    "operations": ["/v2/users/{userId}", "/v2/past_meetings/{meetingId}"],
}


def access(file: Path, *rules: dict[str, Any], default: str = "deny") -> dict[str, Any]:
    return {"default": default, "keys": {"reports": {"key_file": str(file)}}, "rules": list(rules)}


async def denied(admin: str) -> dict[str, float]:
    async with aiohttp.ClientSession() as client, client.get(f"{admin}/metrics") as answer:
        text = await answer.text()
    series = r'^zoom_gateway_access_denied_total\{reason="(\w+)"\} (\S+)$'
    found = re.findall(series, text, re.MULTILINE)
    return {reason: float(value) for reason, value in found}


@pytest.mark.parametrize("options", [(), ("--workers", "2")])
async def test_rules_are_applied_counted_and_logged(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    file = tmp_path / "key"
    file.write_text(KEY)
    async with (
        simulator() as sim,
        configured(sim, tmp_path, *options, access=access(file, REPORTS)) as made,
    ):
        me, shown = f"{made.gate.url}/v2/users/me", {"X-Zoom-Gateway-Key": KEY}
        assert await status_of(me, **shown) == 200
        assert await status_of(me) == 403
        assert await status_of(f"{made.gate.url}/v2/users", **shown) == 403
        assert await status_of(me, **{"X-Zoom-Gateway-Key": NEXT}) == 403
        # A call is counted, and logged, after its answer.
        lines = await eventually(
            lambda: (found := made.gate.logged("call"))[3:] and found, "four lines of calls"
        )
        async with asyncio.timeout(DEADLINE):
            while sum((counts := await denied(made.gate.admin)).values()) < 3:
                await asyncio.sleep(0.05)
        assert {name: count for name, count in counts.items() if count} == {"default": 2, "key": 1}
        told = sorted((one.get("error", ""), one.get("rule", "")) for one in lines)
        assert told == [("", ""), *[("not_allowed", one) for one in ("", "default", "default")]]
        assert KEY not in made.gate.output
        assert NEXT not in made.gate.output


async def test_a_reload_applies_rules_at_once(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(KEY)
    async with simulator() as sim, configured(sim, tmp_path) as made:
        me = f"{made.gate.url}/v2/users/me"
        assert await status_of(me) == 200
        block = {"name": "block", "action": "deny", "operations": ["/v2/users/**"]}
        assert await made.reload(access=access(file, block, default="allow")) == ["access"]
        assert await status_of(me) == 403
        await eventually(
            lambda: made.gate.logged("call")[-1].get("rule") == "block", "a line with the rule"
        )
        wrong = access(file, {**block, "accounts": ["nobody"]})
        made.write(access=wrong)
        problems = (await made.hang_up("reload_failed"))["problems"]
        assert problems[0].startswith("access.rules[0].accounts: item 1 is no account")
        assert await status_of(me) == 403
        assert await made.reload() == ["access"]
        assert await status_of(me) == 200


async def test_a_field_that_once_showed_keys_never_goes_to_zoom(tmp_path: Path) -> None:
    """Callers learn of another field one after the other."""
    async with (
        simulator() as sim,
        session() as client,
        configured(sim, tmp_path, access={"key_header": "X-Team-Key"}) as made,
    ):
        for now in ({"key_header": "X-Other-Key"}, {}):
            assert await made.reload(access=now) == ["access"]
            shown = {"X-Team-Key": KEY, "x-other-key": KEY, "X-Zoom-Gateway-Key": KEY, "X-Any": "1"}
            assert await status_of(f"{made.gate.url}/v2/users/me", **shown) == 200
            (seen,) = await control(client, sim, "requests?limit=1", method="GET")
            names = {name.lower() for name, _ in seen["headers"]}
            assert "x-any" in names
            assert {name for name in names if name.endswith("key")} == set()


async def test_a_key_that_is_rotated_on_disk_needs_no_reload(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(KEY)
    async with (
        simulator() as sim,
        configured(sim, tmp_path, access=access(file, REPORTS)) as made,
    ):
        me = f"{made.gate.url}/v2/users/me"
        assert await status_of(me, **{"X-Zoom-Gateway-Key": KEY}) == 200
        file.unlink()
        await eventually(lambda: made.gate.logged("key_unreadable"), "a line about the file")
        assert await status_of(me, **{"X-Zoom-Gateway-Key": KEY}) == 200
        file.write_text(NEXT)
        statuses: list[int] = []
        while statuses[-1:] != [200]:
            assert len(statuses) < 300
            await asyncio.sleep(0.2)
            statuses.append(await status_of(me, **{"X-Zoom-Gateway-Key": NEXT}))
        assert await status_of(me, **{"X-Zoom-Gateway-Key": KEY}) == 403
        assert KEY not in made.gate.output
