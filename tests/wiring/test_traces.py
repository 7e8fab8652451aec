"""What tracing costs where it is off: nothing is loaded."""

import json
import subprocess
import sys

import pytest

from tests.support.processes import environment

PROGRAM = """
import asyncio, json, os, sys
from gateway.cli.main import main
from gateway.cli import running
from gateway.observe.logs import configure
from gateway.settings import load
from gateway.wiring import Gateway

async def run():
    settings = load(None, os.environ)
    gateway = Gateway(settings, configure("json", "error"))
    await gateway.start()
    await gateway.stop(0)
    loaded = {name.partition(".")[0] for name in sys.modules}
    print(json.dumps(sorted({"opentelemetry", "requests", "google"} & loaded)))

asyncio.run(run())
"""


def loaded(**variables: str) -> list[str]:
    """What is loaded in a process in which a gateway with this configuration ran."""
    env = environment(
        ZOOM_ACCOUNT_ID="a",
        ZOOM_CLIENT_ID="b",
        ZOOM_CLIENT_SECRET="c",
        # Nobody listens there.
        ZOOM_GATEWAY_UPSTREAM__API_URL="http://127.0.0.1:9",
        ZOOM_GATEWAY_UPSTREAM__TOKEN_URL="http://127.0.0.1:9/oauth/token",
        ZOOM_GATEWAY_LISTEN__PORT="0",
        ZOOM_GATEWAY_ADMIN__PORT="0",
        **variables,
    )
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=env, capture_output=True, check=True, timeout=60
    )
    found: list[str] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"ZOOM_GATEWAY_TRACING__PROPAGATE": "true", "ZOOM_GATEWAY_TRACING__SAMPLE": "0.5"},
        # What an operator of a cluster puts into every container switches nothing on.
        {
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
            "OTEL_TRACES_EXPORTER": "otlp",
            "OTEL_SERVICE_NAME": "another",
        },
    ],
)
def test_opentelemetry_is_not_loaded_unless_a_collector_is_named(
    variables: dict[str, str],
) -> None:
    assert loaded(**variables) == []


def test_it_is_where_one_is() -> None:
    assert "opentelemetry" in loaded(ZOOM_GATEWAY_TRACING__ENDPOINT="http://127.0.0.1:9")
