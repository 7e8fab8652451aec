"""A real gateway in front of a real simulator, with tokens dying under load."""

import asyncio

import aiohttp

from tests.support.load import control, killer, metric, session, state, steady
from tests.support.processes import gateway, simulator


async def warmed(client: aiohttp.ClientSession, url: str) -> None:
    async with client.get(f"{url}/v2/users/me") as answer:
        assert answer.status == 200


async def test_kills_every_third_of_a_second_reach_no_caller() -> None:
    async with simulator() as sim, gateway(sim) as gate, session() as client:
        await warmed(client, gate.url)
        async with killer(client, sim, lambda: 0.333) as kills:
            tally = await steady(client, f"{gate.url}/v2/users/me", 300, 20)
        counted = await state(client, sim)
    assert tally.statuses == {200: 6000}
    assert counted["acted_twice"] == []
    assert counted["mints"]["total"] <= len(kills) + 2
    assert not counted["violations"]


async def test_a_rotation_under_load_with_two_slots_causes_no_refusal() -> None:
    slots = '[{"name":"default","client_id":"demo-client","token_indexes":[0,1]}]'
    two = {"ZOOM_GATEWAY_ACCOUNTS__DEFAULT__APPS": slots}
    async with (
        simulator("--token-life", "4") as sim,
        gateway(sim, **two) as gate,
        session() as client,
    ):
        tally = await steady(client, f"{gate.url}/v2/users", 100, 9)
        counted = await state(client, sim)
    assert tally.statuses == {200: 900}
    assert counted["refusals"] == 0
    assert counted["mints"]["total"] >= 4
    assert set(counted["mints"]["by_slot"]) == {"demo-client/0", "demo-client/1"}


async def test_one_endpoint_that_always_refuses_costs_one_mint_and_no_neighbour() -> None:
    faults = {"refuse_paths": ["GET /v2/users"], "delay": 0.05}
    async with simulator() as sim, gateway(sim) as gate, session() as client:
        await warmed(client, gate.url)
        await control(client, sim, "faults", faults, "PUT")
        broken, healthy = await asyncio.gather(
            steady(client, f"{gate.url}/v2/users", 40, 10),
            steady(client, f"{gate.url}/v2/users/me", 20, 10),
        )
        counted = await state(client, sim)
        refusals = await metric(client, gate.admin, "zoom_gateway_token_refusals_total")
    assert broken.statuses == {401: 400}
    assert healthy.statuses == {200: 200}
    assert counted["mints"]["total"] == 2
    assert refusals['{account="default",cause="endpoint"}'] > 300


async def test_one_endpoint_that_always_refuses_and_is_called_alone_costs_one_mint() -> None:
    faults = {"refuse_paths": ["GET /v2/users"], "delay": 0.05}
    async with simulator() as sim, gateway(sim) as gate, session() as client:
        await control(client, sim, "faults", faults, "PUT")
        tally = await steady(client, f"{gate.url}/v2/users", 20, 5)
        counted = await state(client, sim)
    assert tally.statuses == {401: 100}
    assert counted["mints"]["total"] == 2


async def test_forty_refusals_at_once_cost_one_mint() -> None:
    async with simulator() as sim, gateway(sim) as gate, session() as client:
        await warmed(client, gate.url)
        await control(client, sim, "kill")
        tally = await steady(client, f"{gate.url}/v2/users/me", 100000, 0.0004)
        counted = await state(client, sim)
    assert tally.statuses == {200: 40}
    assert counted["mints"]["total"] == 2


async def test_two_hundred_calls_on_a_cold_start_cost_one_mint() -> None:
    async with simulator() as sim, session() as client:
        await control(client, sim, "faults", {"mint_delay": 1.5}, "PUT")
        async with gateway(sim) as gate:
            tally = await steady(client, f"{gate.url}/v2/users/me", 100000, 0.002)
        counted = await state(client, sim)
    assert tally.statuses == {200: 200}
    assert counted["mints"]["total"] == 1


async def test_a_life_shorter_than_promised_is_no_foreign_mint() -> None:
    async with simulator() as sim, session() as client:
        await control(client, sim, "config", {"token_life": 1.5, "expires_in": 3600})
        async with gateway(sim) as gate:
            tally = await steady(client, f"{gate.url}/v2/users/me", 50, 4)
            foreign = await metric(client, gate.admin, "zoom_gateway_token_foreign_mints_total")
    assert tally.statuses == {200: 200}
    assert foreign == {'{account="default"}': 0.0}
