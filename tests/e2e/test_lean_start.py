"""What serving does without: libraries that are for other commands, stores, listeners or pages.

Each would be paid for in every pod, by memory and by the time until the first call. Neither is
measured here, where machines differ, but what was imported by then.
"""

import re
from importlib.util import find_spec

import pytest

from tests.support.load import session
from tests.support.processes import Gateway, credentials, environment, simulator

WITHOUT = (
    # Other commands, and tracebacks in colours. (structlog's attempt to import `rich` is listed.)
    "click",
    "rich.console",
    "pygments",
    # A file, where the configuration is one.
    "yaml",
    # A store that is shared, or encrypted; certificates for TLS.
    "redis",
    "cryptography",
    # The status page, once somebody looks.
    "jinja2",
    "markupsafe",
    # An answer that is compressed so, and may be a refusal.
    "zstandard",
    # Tracing.
    "opentelemetry",
    "requests",
    # A router and applications: neither port has one.
    "aiohttp.web",
    "aiohttp.web_app",
    "aiohttp.web_urldispatcher",
    # The simulator, and the doctor.
    "gateway.sim",
    "gateway.cli.doctor",
)

WITH = ("aiohttp.web_protocol", "structlog", "prometheus_client", "pydantic", "gateway.web.proxy")
"""What it cannot do without: so the list of what was imported is one."""

IMPORTED = re.compile(r"import time: +\d+ \| +\d+ \| +([\w.]+)")


@pytest.mark.parametrize("name", [*WITHOUT, *WITH])
def test_there_is_what_could_be_imported(name: str) -> None:
    assert find_spec(name) is not None


@pytest.mark.parametrize("options", [(), ("--workers", "2")])
async def test_a_call_is_served_without(options: tuple[str, ...]) -> None:
    async with simulator() as sim, session() as client:
        env = environment(**credentials(sim), PYTHONPROFILEIMPORTTIME="1")
        gate = await Gateway.start("serve", *options, env=env)
        assert isinstance(gate, Gateway)
        try:
            await gate.listening()
            for url in (f"{gate.url}/v2/users/me", f"{gate.admin}/livez", f"{gate.admin}/metrics"):
                async with client.get(url) as answer:
                    assert answer.status == 200
        finally:
            await gate.kill()
    imported = {found[1] for line in gate.lines if (found := IMPORTED.fullmatch(line))}
    assert imported.issuperset(WITH)
    assert imported.isdisjoint(WITHOUT), imported.intersection(WITHOUT)
