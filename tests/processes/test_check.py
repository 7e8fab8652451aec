"""`zoom-gateway check`: findings in words, exit codes for programs."""

import json
from pathlib import Path

from tests.support.load import control, session
from tests.support.processes import Process, credentials, environment, simulator


async def _check(*arguments: str, **variables: str) -> tuple[int, str]:
    child = await Process.start("check", *arguments, env=environment(**variables))
    return await child.ended(), child.output


async def test_all_is_well() -> None:
    async with simulator() as sim:
        code, said = await _check(**credentials(sim))
        assert (code, "All is well." in said) == (0, True), said
        code, said = await _check("--mint", **credentials(sim))
    assert code == 0
    assert "Zoom takes the token for GET /v2/users/me" in said


async def test_without_mint_no_token_is_minted() -> None:
    async with simulator() as sim, session() as client:
        await _check(**credentials(sim))
        async with client.get(f"{sim}/_sim/state") as answer:
            assert (await answer.json())["mint_attempts"] == 0


async def test_nobody_answers() -> None:
    async with simulator() as sim:
        gone = sim
    code, said = await _check("--mint", **credentials(gone))
    assert code == 1
    assert "cannot be reached" in said
    assert "upstream.api_url" in said
    assert "Traceback" not in said


async def test_a_token_index_that_zoom_does_not_grant() -> None:
    slots = '[{"name":"default","client_id":"demo-client","token_indexes":[0,7]}]'
    async with simulator("--max-index", "1") as sim:
        code, said = await _check(
            "--mint", **credentials(sim), ZOOM_GATEWAY_ACCOUNTS__DEFAULT__APPS=slots
        )
    assert code == 1
    assert "slot default/7" in said
    assert "token_indexes" in said


async def test_a_token_that_zoom_refuses() -> None:
    async with simulator() as sim, session() as client:
        await control(client, sim, "faults", {"refuse_all": True}, "PUT")
        code, said = await _check("--mint", **credentials(sim))
    assert code == 1
    assert "refuses the token it just issued" in said


async def test_a_secret_file_that_others_can_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("demo-secret\n")
    secret.chmod(0o644)
    async with simulator() as sim:
        variables = credentials(sim)
        del variables["ZOOM_CLIENT_SECRET"]
        variables["ZOOM_CLIENT_SECRET_FILE"] = str(secret)
        code, said = await _check("--mint", **variables)
        assert code == 1
        assert f"chmod 600 {secret}" in said
        secret.chmod(0o600)
        code, said = await _check("--mint", **variables)
    assert code == 0, said


async def test_a_key_file_of_the_store_that_others_can_read(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_bytes(b"k" * 32)
    key.chmod(0o644)
    async with simulator() as sim:
        variables = {**credentials(sim), "ZOOM_GATEWAY_STORE__ENCRYPTION_KEY_FILE": str(key)}
        code, said = await _check(**variables)
    assert code == 1
    assert f"read store.encryption_key_file {key}" in said


async def test_a_store_that_cannot_be_used() -> None:
    async with simulator() as sim:
        variables = {**credentials(sim), "ZOOM_GATEWAY_STORE__URL": "redis://:canary-7@127.0.0.1:1"}
        code, said = await _check(**variables)
    assert code == 1
    assert "store.url" in said
    assert "check that it runs" in said
    assert "canary-7" not in said


async def test_a_document_of_a_newer_gateway(tmp_path: Path) -> None:
    stamps = {"revision": [1, "a"], "fence": [0, ""], "lease_owner": "", "lease_until": 0}
    text = json.dumps({"document": {"format": 99}, **stamps})
    (tmp_path / "default.json").write_text(text)
    async with simulator() as sim:
        variables = {**credentials(sim), "ZOOM_GATEWAY_STORE__URL": f"file://{tmp_path}"}
        code, said = await _check(**variables)
    assert code == 1
    assert "format 99" in said
    assert (tmp_path / "default.json").read_text() == text


async def test_no_configuration_at_all() -> None:
    code, said = await _check()
    assert code == 2
    assert "ZOOM_CLIENT_SECRET" in said
