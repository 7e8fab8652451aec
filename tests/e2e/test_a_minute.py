"""Two scenarios of a minute each, run side by side: neither needs much of the machine."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.support.load import Tally, control, killer, metric, poisson, session, state, steady
from tests.support.processes import eventually, gateway, simulator


@dataclass
class Minute:
    tally: Tally
    counted: Any
    seen: dict[str, Any] = field(default_factory=dict)


async def _killed_at_random() -> Minute:
    async with simulator() as sim, gateway(sim) as gate, session() as client:
        async with client.get(f"{gate.url}/v2/users/me") as answer:
            assert answer.status == 200
        async with killer(client, sim, poisson(1.0, 5)):
            tally = await steady(client, f"{gate.url}/v2/users/me", 150, 60)
        return Minute(tally, await state(client, sim))


async def _refused_for_ever() -> Minute:
    async with simulator() as sim, gateway(sim) as gate, session() as client:
        async with client.get(f"{gate.url}/v2/users/me") as answer:
            assert answer.status == 200
        await control(client, sim, "faults", {"refuse_all": True}, "PUT")
        tally = await steady(client, f"{gate.url}/v2/users/me", 20, 60)
        minute = Minute(tally, await state(client, sim))
        async with client.get(f"{gate.admin}/readyz") as answer:
            minute.seen["readyz"] = (answer.status, await answer.json())
        held = await metric(client, gate.admin, "zoom_gateway_token_holdoff_seconds")
        minute.seen["holdoff"] = held['{account="default"}']
        await control(client, sim, "faults", None, "DELETE")
        minute.seen["after"] = await steady(client, f"{gate.url}/v2/users/me", 10, 1)
        await eventually(lambda: gate.logged("holdoff_ended"), "the hold-off's end in the log")
        minute.seen["began"] = gate.logged("holdoff_began")
        return minute


@pytest.fixture(scope="module")
def minutes() -> tuple[Minute, Minute]:
    async def both() -> tuple[Minute, Minute]:
        killed, refused = await asyncio.gather(_killed_at_random(), _refused_for_ever())
        return killed, refused

    return asyncio.run(both())


def test_kills_at_random_reach_one_caller_in_a_thousand_at_most(
    minutes: tuple[Minute, Minute],
) -> None:
    killed, _ = minutes
    assert set(killed.tally.statuses) <= {200, 401}
    assert killed.tally.share(401) <= 0.001
    assert killed.counted["acted_twice"] == []


def test_all_tokens_refused_for_ever_is_no_storm(minutes: tuple[Minute, Minute]) -> None:
    _, refused = minutes
    assert refused.tally.statuses == {401: 1200}
    assert refused.counted["mints"]["total"] - 1 <= 6
    assert sorted(refused.tally.durations)[600] < 0.2


def test_all_tokens_refused_for_ever_says_why(minutes: tuple[Minute, Minute]) -> None:
    seen = minutes[1].seen
    status, body = seen["readyz"]
    assert status == 200
    assert any("Zoom refuses a token it issued" in reason for reason in body["reasons"])
    assert any("owner's role changed" in reason for reason in body["reasons"])
    assert seen["holdoff"] > 0
    assert "Zoom refuses a token it issued" in seen["began"][0]["message"]


def test_the_first_accepted_call_ends_the_holdoff(minutes: tuple[Minute, Minute]) -> None:
    assert minutes[1].seen["after"].statuses == {200: 10}
