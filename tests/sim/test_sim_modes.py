import pytest

from gateway.sim import SimClient, parse_mode


async def alive(zoom: SimClient, *tokens: str) -> list[bool]:
    return [(await zoom.call(token)).status == 200 for token in tokens]


async def test_single_kills_the_older_token_of_the_slot_alone(zoom: SimClient) -> None:
    first, other_index = await zoom.mint(0), await zoom.mint(1)
    other_app = await zoom.mint(0, second_app=True)
    second = await zoom.mint(0)
    assert await alive(zoom, first, second, other_index, other_app) == [False, True, True, True]
    assert (await zoom.state())["superseded"] == 1


async def test_max_keeps_the_newest_of_a_slot(zoom: SimClient) -> None:
    await zoom.control("config", {"mode": "max:2"})
    other = await zoom.mint(1)
    tokens = [await zoom.mint(0) for _ in range(3)]
    assert await alive(zoom, *tokens, other) == [False, True, True, True]


async def test_multi_keeps_all_and_ignores_the_index(zoom: SimClient) -> None:
    await zoom.control("config", {"mode": "multi"})
    tokens = [await zoom.mint(index) for index in (0, 0, 5, 99)]
    assert await alive(zoom, *tokens) == [True] * 4


async def test_app_max_counts_over_all_indexes_of_an_app(zoom: SimClient) -> None:
    await zoom.control("config", {"mode": "app-max:2"})
    other_app = await zoom.mint(0, second_app=True)
    tokens = [await zoom.mint(index) for index in (0, 1, 2)]
    assert await alive(zoom, *tokens, other_app) == [False, True, True, True]
    await zoom.control("config", {"mode": "app-max:1"})
    newest = await zoom.mint(3)
    assert await alive(zoom, *tokens, newest) == [False, False, False, True]


@pytest.mark.parametrize("text", ["single", "multi", "max:3", "app-max:1"])
def test_a_mode_is_written_as_it_is_read(text: str) -> None:
    assert str(parse_mode(text)) == text


@pytest.mark.parametrize("text", ["", "max", "max:0", "max:x", "single:1", "multi:2", "max:-1"])
def test_other_modes_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="app-max:N"):
        parse_mode(text)
