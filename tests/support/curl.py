"""What a curl command line in a page does, without curl: it may not be installed."""

import itertools
import shlex

import aiohttp


async def curl(command: str) -> tuple[int, str]:
    """Give status and body; options that no page uses are refused."""
    words = shlex.split(command)
    assert words[0] == "curl"
    url = next(word for word in words if word.startswith("http"))
    method, body = "GET", None
    for option, value in itertools.pairwise(words):
        if option == "-X":
            method = value
        if option == "-d":
            body = value
    assert set(words) <= {"curl", url, "-X", method, "-d", body}
    async with aiohttp.ClientSession() as client, client.request(method, url, data=body) as answer:
        return answer.status, await answer.text()
