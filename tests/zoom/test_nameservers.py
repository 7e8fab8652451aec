"""Zoom's addresses from name servers that the configuration names."""

import asyncio
import socket

import dns.rcode
import pytest

from gateway.core.place import Place, parse_place
from gateway.zoom.names import Names
from gateway.zoom.nameservers import NameServers
from tests.support.redis_server import free_port
from tests.zoom.name_server import name_server

BOTH = {
    ("api.zoom.us", "A"): ["192.0.2.7", "192.0.2.8"],
    ("api.zoom.us", "AAAA"): ["2001:db8::7"],
}


def resolver(*places: str, seconds: float = 5.0) -> NameServers:
    return NameServers([parse_place(one) for one in places], seconds)


async def found(resolver: NameServers, host: str = "api.zoom.us") -> list[str]:
    return sorted(one[4][0] for one in await resolver.addresses(host, 443))


async def test_addresses_of_both_families_are_found_and_kept_for_their_time() -> None:
    async with name_server(BOTH) as server:
        asked = resolver(server.place)
        both = await asyncio.gather(*(found(asked) for _ in range(20)))
        assert {tuple(one) for one in both} == {("192.0.2.7", "192.0.2.8", "2001:db8::7")}
        assert sorted(server.asked) == [
            ("api.zoom.us", "A", "udp"),
            ("api.zoom.us", "AAAA", "udp"),
        ]
        assert len(await found(asked)) == 3
        assert len(server.asked) == 2


async def test_what_they_give_can_be_connected_to() -> None:
    async with name_server({**BOTH, ("api.zoom.us", "A"): ["192.0.2.7"]}) as server:
        one, two = await resolver(server.place).addresses("api.zoom.us", 443)
    assert one == (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("2001:db8::7", 443, 0, 0))
    assert two == (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.7", 443))


async def test_what_has_no_time_to_live_is_asked_for_again() -> None:
    async with name_server(BOTH, ttl=0) as server:
        asked = resolver(server.place)
        await found(asked)
        server.records[("api.zoom.us", "A")] = ["192.0.2.99"]
        assert "192.0.2.99" in await found(asked)


async def test_a_long_answer_comes_by_tcp() -> None:
    async with name_server(BOTH) as server:
        server.truncates = True
        assert len(await found(resolver(server.place))) == 3
        assert {way for *_, way in server.asked} == {"udp", "tcp"}


async def test_one_family_does_not_wait_for_the_other() -> None:
    async with name_server(BOTH) as server:
        server.silent.add("AAAA")
        async with asyncio.timeout(4):
            assert await found(resolver(server.place, seconds=60)) == ["192.0.2.7", "192.0.2.8"]


async def test_the_next_server_is_asked_where_one_is_down_or_fails() -> None:
    async with name_server(BOTH) as failing, name_server(BOTH) as well:
        failing.rcode = dns.rcode.SERVFAIL
        asked = resolver(f"127.0.0.1:{free_port()}", failing.place, well.place)
        assert len(await found(asked)) == 3
        assert failing.asked
        assert well.asked


async def test_what_nobody_knows_and_what_nobody_answers() -> None:
    async with name_server(BOTH) as server:
        asked = resolver(server.place)
        with pytest.raises(socket.gaierror, match=r"know none") as unknown:
            await found(asked, "nobody.zoom.us")
        assert unknown.value.errno == socket.EAI_NONAME
        server.records = {("zoom.us", "A"): []}
        with pytest.raises(socket.gaierror, match=r"know none"):
            await found(asked, "zoom.us")
    with pytest.raises(socket.gaierror, match="gives an answer") as dead:
        await found(resolver(f"127.0.0.1:{free_port()}", seconds=0.5))
    assert dead.value.errno == socket.EAI_AGAIN


async def test_a_caller_that_leaves_spoils_nothing_for_others() -> None:
    async with name_server(BOTH) as server:
        server.silent.update({"A", "AAAA"})
        asked = resolver(server.place)
        first, second = (asyncio.create_task(found(asked)) for _ in range(2))
        while len(server.asked) < 2:
            await asyncio.sleep(0)
        first.cancel()
        server.silent.clear()
        assert len(await second) == 3  # by the try that follows
        assert first.cancelled() or await asyncio.wait([first])


async def test_names_ask_them_for_zooms_hosts_alone() -> None:
    async with name_server(BOTH | {("localhost", "A"): ["192.0.2.66"]}) as server:
        names = Names({"file.zoom.us": Place("192.0.2.9", 8443)}, resolver(server.place))
        assert len(await names.addresses("API.zoom.us", 443)) == 3
        assert [one[4] for one in await names.addresses("file.zoom.us.", 443)] == [
            ("192.0.2.9", 8443)
        ]
        here = await names.addresses("localhost", 443)
        assert {one[4][0] for one in here} <= {"127.0.0.1", "::1"}
        assert {name for name, *_ in server.asked} == {"api.zoom.us"}
