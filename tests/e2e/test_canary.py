"""Known secrets go through everything the gateway can print, and must show nowhere."""

import signal
from pathlib import Path

import aiohttp

from tests.support.load import control, session
from tests.support.processes import Gateway, credentials, environment, gateway, simulator

CANARY = "canary-7f3a9e51-secret"
SECRETS = ("demo-secret", CANARY)
PATHS = ("/metrics", "/status.json", "/", "/readyz", "/livez", "/nothing")


async def _tokens(directory: Path) -> list[str]:
    """The values of all tokens, from the one place where they may stand."""
    text = "".join(file.read_text() for file in directory.glob("*.json"))
    return [part.split('"')[0] for part in text.split('"value": "')[1:]]


async def _everything_it_says(client: aiohttp.ClientSession, gate: Gateway) -> str:
    said = []
    for path in PATHS:
        async with client.get(f"{gate.admin}{path}") as answer:
            said.append(f"{answer.headers}\n{await answer.text()}")
    async with client.get(f"{gate.admin}/events") as answer:
        state = await answer.content.readuntil(b"\n\n")
        said.append(f"{answer.headers}\n{state.decode()}")
    async with client.post(f"{gate.admin}/accounts/{CANARY}/rotate", json={"a": CANARY}) as answer:
        said.append(f"{answer.headers}\n{await answer.text()}")
    for target in ("/v2/users/me", f"/v2/users?token={CANARY}", "/@nobody/v2/users", "/v2/x"):
        headers = {"Authorization": f"Bearer {CANARY}", "Cookie": f"a={CANARY}"}
        async with client.get(f"{gate.url}{target}", headers=headers) as answer:
            said.append(f"{answer.headers}\n{await answer.text()}")
    async with client.post(f"{gate.url}/oauth/token", data={"client_secret": CANARY}) as answer:
        said.append(await answer.text())
    return "\n".join(said)


async def test_no_secret_and_no_token_shows_anywhere(tmp_path: Path) -> None:
    options = {
        "ZOOM_GATEWAY_STORE__URL": f"file://{tmp_path}",
        "ZOOM_GATEWAY_LOG__LEVEL": "debug",
        "ZOOM_GATEWAY_TOKEN__WAIT_TIMEOUT": "1",
        "ZOOM_GATEWAY_TOKEN__MINT_TIMEOUT": "0.9",
    }
    async with simulator() as sim, gateway(sim, **options) as gate, session() as client:
        said = await _everything_it_says(client, gate)
        tokens = await _tokens(tmp_path)
        await control(client, sim, "kill")
        said += await _everything_it_says(client, gate)
        await control(client, sim, "faults", {"refuse_all": True, "mint_status": 500}, "PUT")
        said += await _everything_it_says(client, gate)
        await control(client, sim, "faults", {"drop": "mid_body", "drop_share": 1}, "PUT")
        async with client.get(f"{gate.url}/v2/users/me") as answer:
            said += str(answer.headers)
        tokens += await _tokens(tmp_path)
        gate.signal(signal.SIGINT)
        await gate.ended()
    assert len(set(tokens)) >= 2
    for secret in (*SECRETS, *tokens):
        assert secret not in said
        assert secret not in gate.output


async def test_wrong_credentials_are_told_without_showing_them() -> None:
    async with simulator() as sim, session() as client:
        env = environment(**{**credentials(sim), "ZOOM_CLIENT_SECRET": CANARY})
        async with gateway(sim, ZOOM_CLIENT_SECRET=CANARY) as gate:
            async with client.get(f"{gate.url}/v2/users/me") as answer:
                assert answer.status == 503
                text = await answer.text()
            async with client.get(f"{gate.admin}/readyz") as answer:
                text += await answer.text()
        assert "client_secret" in text
        checked = await Gateway.start("check", "--mint", env=env)
        assert await checked.ended() == 1
    for output in (text, gate.output, checked.output):
        assert CANARY not in output
    assert "client_secret" in checked.output
