"""The real token, lent to a caller that goes to Zoom on its own."""

import asyncio

import pytest

from gateway.core.errors import MintFailure, TokenUnavailableError
from gateway.tokens.lending import FRESH, LEAST, lend
from tests.support.account import A0, A1, Fleet
from tests.support.virtual_time import virtual
from tests.support.zoom_in_memory import Zoom, failure


@virtual
async def test_the_token_that_calls_get_with_its_true_life() -> None:
    async with Fleet(Zoom(), (A0, A1)) as fleet:
        await fleet.call()
        loan = await lend(fleet.manager)
        token = fleet.manager.ledger.token()
        assert token is not None
        assert loan.token == token
        now = fleet.clock.now()
        # There is another slot: this one's token lives on when that is minted in.
        assert loan.left == pytest.approx(token.expires_at - now)
        await asyncio.sleep(1000)
        assert (await lend(fleet.manager)).left == pytest.approx(
            token.expires_at - now - 1000, abs=1
        )


@virtual
async def test_with_one_slot_its_life_ends_with_its_rotation() -> None:
    async with Fleet(Zoom()) as fleet:
        await fleet.call()
        loan = await lend(fleet.manager)
        account = fleet.manager.ledger.view()
        assert account.rotate_at is not None
        assert loan.left == pytest.approx(account.rotate_at - fleet.clock.now())
        assert loan.left < loan.token.expires_at - fleet.clock.now() - 100


@virtual
async def test_while_its_rotation_fails_it_is_lent_for_a_while() -> None:
    async with Fleet(Zoom()) as fleet:
        await fleet.call()
        account = fleet.manager.ledger.view()
        fleet.zoom.mint_error = lambda _: failure(MintFailure.SERVER_ERROR)
        assert account.rotate_at is not None
        await asyncio.sleep(account.rotate_at + 30 - fleet.clock.now())
        loan = await lend(fleet.manager)
        assert loan.token.generation == 1
        assert loan.left == pytest.approx(LEAST)


@virtual
async def test_a_token_that_was_killed_is_not_lent_again() -> None:
    async with Fleet(Zoom()) as fleet:
        await fleet.call()
        first = await lend(fleet.manager)
        await asyncio.sleep(FRESH + 1)
        fleet.zoom.kill()
        # No call went through the gateway, which could have noticed.
        second = await lend(fleet.manager)
        assert second.token.generation == first.token.generation + 1
        assert fleet.zoom.accepts(second.token.value, "GET /x")
        assert len(fleet.zoom.mints) == 2


@virtual
async def test_who_asks_all_the_time_causes_few_probes_and_no_mint() -> None:
    async with Fleet(Zoom()) as fleet:
        await fleet.call()
        for _ in range(200):
            await lend(fleet.manager)
            await asyncio.sleep(0.1)
        assert len(fleet.zoom.mints) == 1
        assert len(fleet.zoom.probes) <= 20 / FRESH + 1


@virtual
async def test_calls_prove_it_too() -> None:
    async with Fleet(Zoom()) as fleet:
        for _ in range(20):
            await fleet.call()
            await lend(fleet.manager)
            await asyncio.sleep(1)
        assert fleet.zoom.probes == []


@virtual
async def test_without_a_token_it_says_so() -> None:
    zoom = Zoom()
    zoom.mint_error = lambda _: failure(MintFailure.INVALID_CLIENT)
    async with Fleet(zoom) as fleet:
        with pytest.raises(TokenUnavailableError):
            await lend(fleet.manager)


@virtual
async def test_a_killed_token_is_lent_while_no_other_is_to_be_had() -> None:
    async with Fleet(Zoom()) as fleet:
        await fleet.call()
        await asyncio.sleep(FRESH + 1)
        fleet.zoom.kill()
        fleet.zoom.mint_error = lambda _: failure(MintFailure.SERVER_ERROR)
        loan = await lend(fleet.manager)
        assert loan.token.generation == 1
