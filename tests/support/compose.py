"""compose.yaml, read and run with podman: what Docker's own program makes of it.

Each service becomes a `podman run` with its options. A key without a meaning here is refused, so
that none is passed over unseen. Ports are published where there is room, on the file's address.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

import yaml

from tests.support import images
from tests.support.containers import Container, container
from tests.support.processes import ROOT, eventually

Service = Mapping[str, Any]


def _free_port(published: str) -> str:
    address, _, inside = published.rsplit(":", 2)
    return f"--publish={address}::{inside}"


OPTIONS: Final[Mapping[str, Callable[[Any], Iterator[str]]]] = {
    "environment": lambda value: (f"--env={name}={text}" for name, text in value.items()),
    "ports": lambda value: (_free_port(one) for one in value),
    "read_only": lambda value: (f"--read-only{one}" for one in (f"={value}", "-tmpfs=false")),
    "cap_drop": lambda value: (f"--cap-drop={one}" for one in value),
    "security_opt": lambda value: (f"--security-opt={one.removesuffix(':true')}" for one in value),
    "tmpfs": lambda value: (f"--tmpfs={one}" for one in value),
    "user": lambda value: iter([f"--user={value}"]),
}
"""Of `podman run`, by the keys of a service."""

ELSEWHERE: Final = frozenset(
    {"image", "command", "healthcheck", "network_mode", "depends_on"}
    | {"build", "restart", "stop_grace_period"}
)
"""Keys that are heeded below; and those that mean nothing to a test."""


def services() -> dict[str, Service]:
    """The services, with what they share filled in."""
    found: dict[str, Service] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    return found


@asynccontextmanager
async def up(names: Mapping[str, str]) -> AsyncIterator[dict[str, Container]]:
    """Start each service after those that it depends on; `names` maps images to those here."""
    waiting, running = services(), dict[str, Container]()
    async with AsyncExitStack() as stack:
        while waiting:
            name = next(name for name, one in waiting.items() if _needs(one) <= running.keys())
            service = waiting.pop(name)
            for other, how in service.get("depends_on", {}).items():
                if how["condition"] == "service_healthy":
                    await running[other].eventually_healthy()
            arguments = [*_options(service), *await _network(service, running)]
            box = await stack.enter_async_context(
                container(*arguments, names[service["image"]], *service.get("command", ()))
            )
            box.health = tuple(service.get("healthcheck", {}).get("test", ())[1:])
            await eventually(box.exists, f"a container for {name}:\n{box.output}")
            running[name] = box
        yield running


def _needs(service: Service) -> set[str]:
    return set(service.get("depends_on", ()))


def _options(service: Service) -> Iterator[str]:
    for key, value in service.items():
        assert key in OPTIONS.keys() | ELSEWHERE, f"{key} in compose.yaml means nothing here"
        if key in OPTIONS:
            yield from OPTIONS[key](value)


async def _network(service: Service, running: Mapping[str, Container]) -> list[str]:
    """That of another service, or one where those that run are known by their names."""
    mode = service.get("network_mode")
    if mode is not None:
        return [f"--network=container:{running[mode.removeprefix('service:')].name}"]
    ask = ("container", "inspect", "--format={{.NetworkSettings.IPAddress}}")
    return [
        f"--add-host={name}:{(await asyncio.to_thread(images.podman, *ask, box.name)).strip()}"
        for name, box in running.items()
    ]
