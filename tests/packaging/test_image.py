"""The image, built from the Dockerfile as it is, and run as an operator would."""

import pytest

from tests.support import images
from tests.support.images import Container, container
from tests.support.load import session

pytestmark = [pytest.mark.xdist_group("image"), pytest.mark.timeout(300)]

LOCKED = ("--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges")
"""What takes away all that a container may do beyond what it must."""

PORTS = ("--publish=127.0.0.1::8080", "--publish=127.0.0.1::9090")


@pytest.fixture(scope="module")
def image() -> str:
    return images.gateway_image()


async def listening(box: Container) -> tuple[str, str]:
    """The URLs of the proxy and the admin listener, from outside."""
    await box.wait_for_line("takes calls on")
    return f"http://{await box.published(8080)}", f"http://{await box.published(9090)}"


async def test_the_demo_works_from_outside(image: str) -> None:
    async with (
        container(*LOCKED, *PORTS, "--publish=127.0.0.1::8081", image, "demo") as box,
        session() as client,
    ):
        await box.wait_for_line("The gateway listens on http://127.0.0.1:8080")
        proxy, admin = await listening(box)
        async with client.get(f"{proxy}/v2/users") as answer:
            assert answer.status == 200
            assert (await answer.json())["users"]
        sim = await box.published(8081)
        async with client.post(f"http://{sim}/_sim/kill") as answer:
            assert answer.status < 300
        async with client.get(f"{proxy}/v2/users") as answer:
            assert answer.status == 200
        async with client.get(f"{admin}/metrics") as answer:
            assert 'outcome="recovered"} 1' in await answer.text()
