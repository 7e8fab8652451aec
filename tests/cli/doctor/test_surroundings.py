"""Variables, files, directories and ports around the gateway."""

import asyncio
import re
import socket
from pathlib import Path

import pytest

from gateway.settings.schema import all_keys, dotted
from tests.cli.doctor.bench import HUNG, account, answering, check, faked, said, server
from tests.support.processes import credentials, gateway, simulator
from tests.support.redis_server import free_port

SECRET = "canary-7d1f-secret"

KUBERNETES = {
    "ZOOM_GATEWAY_SERVICE_HOST": "10.0.0.7",
    "ZOOM_GATEWAY_SERVICE_PORT": "8080",
    "ZOOM_GATEWAY_SERVICE_PORT_HTTP": "8080",
    "ZOOM_GATEWAY_PORT": "tcp://10.0.0.7:8080",
    "ZOOM_GATEWAY_PORT_8080_TCP": "tcp://10.0.0.7:8080",
    "ZOOM_GATEWAY_PORT_8080_TCP_PROTO": "tcp",
    "ZOOM_GATEWAY_PORT_8080_TCP_PORT": "8080",
    "ZOOM_GATEWAY_PORT_8080_TCP_ADDR": "10.0.0.7",
    # Of a Service zoom-gateway-admin.
    "ZOOM_GATEWAY_ADMIN_PORT": "tcp://10.0.0.8:9090",
    "ZOOM_GATEWAY_ADMIN_SERVICE_HOST": "10.0.0.8",
}

SLIPS = {
    "ZOOM_GATEWAY_LISTEN_PORT": "ZOOM_GATEWAY_LISTEN__PORT",
    "ZOOM_GATEWAY_ACCOUNTS_DEFAULT_APPS_0_CLIENT_SECRET": (
        "ZOOM_GATEWAY_ACCOUNTS__DEFAULT__APPS__0__CLIENT_SECRET"
    ),
    "ZOOM_GATEWAY_STOREURL": "ZOOM_GATEWAY_STORE__URL",
    "ZOOMGATEWAY_LOG__LEVEL": "ZOOM_GATEWAY_LOG__LEVEL",
    "zoom_gateway_listen__host": "ZOOM_GATEWAY_LISTEN__HOST",
    "ZOOM_GATEWAY_CONFIG_FILE": "ZOOM_GATEWAY_CONFIG",
}

SENTINELS = "redis+sentinel://127.0.0.1:9/primary"
KEY = "0" * 64

SECRET_FILES = {
    "accounts.default.apps[0].client_secret_file": ("ZOOM_CLIENT_SECRET_FILE", SECRET),
    "accounts.default.apps[0].previous_client_secret_file": (
        "ZOOM_GATEWAY_ACCOUNTS__DEFAULT__APPS__0__PREVIOUS_CLIENT_SECRET_FILE",
        SECRET,
    ),
    "store.password_file": ("ZOOM_GATEWAY_STORE__PASSWORD_FILE", SECRET),
    "store.sentinel_password_file": ("ZOOM_GATEWAY_STORE__SENTINEL_PASSWORD_FILE", SECRET),
    "store.encryption_key_file": ("ZOOM_GATEWAY_STORE__ENCRYPTION_KEY_FILE", KEY),
    "store.previous_encryption_key_file": (
        "ZOOM_GATEWAY_STORE__PREVIOUS_ENCRYPTION_KEY_FILE",
        KEY,
    ),
    "tracing.headers_file": ("ZOOM_GATEWAY_TRACING__HEADERS_FILE", f"X-Key: {SECRET}"),
}
"""Each key that names a file with a secret: its variable, and what may stand in the file."""


async def test_variables_that_look_like_ours() -> None:
    async with simulator() as sim:
        slips = dict.fromkeys(SLIPS, SECRET)
        found = await check(**credentials(sim), **slips, ZOOM_GATEWAY_FOO=SECRET)
    told = {one["about"]: one["details"]["meant"] for one in found.all("variable_ignored")}
    assert told == SLIPS
    assert found.one("variable_unknown")["about"] == "ZOOM_GATEWAY_FOO"
    assert SECRET not in found.stdout + found.stderr
    assert found.exit_code == 1


async def test_variables_that_kubernetes_injects() -> None:
    async with simulator() as sim:
        found = await check(**credentials(sim), **KUBERNETES)
    assert found.lacks("variable_ignored", "variable_unknown")
    assert found.exit_code == 0


async def test_a_slip_that_leaves_the_configuration_incomplete() -> None:
    slips = {"ZOOM_ACCOUNTID": SECRET, "ZOOM_CLIENT_ID": "id", "ZOOM_CLIENT_SECRET": SECRET}
    found, words = await check(**slips), await said(**slips)
    assert found.exit_code == words.exit_code == 2
    assert found.one("configuration")["about"] == "accounts.default.account_id"
    assert found.one("variable_ignored")["details"] == {"meant": "ZOOM_ACCOUNT_ID"}
    assert "Did you mean ZOOM_ACCOUNT_ID?" in words.stderr
    assert words.stdout == ""
    assert SECRET not in found.stdout + found.stderr + words.stderr


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "all_proxy"])
async def test_a_proxy_that_is_not_used(name: str) -> None:
    dead = faked(api_zoom_us="EAI_NONAME", zoom_us="EAI_NONAME")
    variables = {**account("https://api.zoom.us", "https://zoom.us"), **dead}
    variables[name] = f"http://user:{SECRET}@proxy.test:3128"
    variables["ZOOM_GATEWAY_UPSTREAM__EGRESS_PROXY"] = "off"
    found = await check(**variables)
    ignored = found.one("proxy_ignored")
    assert (ignored["level"], ignored["about"]) == ("warning", name)
    assert "upstream.egress_proxy is off" in ignored["sentence"]
    assert ignored["details"]["hosts"] == ["api.zoom.us", "zoom.us"]
    assert "why a connection fails" in ignored["advice"]
    assert SECRET not in found.stdout
    found = await check(**variables, NO_PROXY="localhost,.zoom.us")
    assert found.lacks("proxy_ignored")


async def test_a_proxy_that_is_not_needed() -> None:
    async with simulator() as sim:
        found = await check(**credentials(sim), HTTPS_PROXY="http://proxy.test:3128")
    assert found.lacks("proxy_ignored")
    assert found.exit_code == 0


async def test_files_with_secrets(tmp_path: Path) -> None:
    secret, open_to_all = tmp_path / "secret", tmp_path / "shared"
    secret.write_text("demo-secret\n")
    secret.chmod(0o600)
    async with simulator() as sim:
        variables = credentials(sim)
        del variables["ZOOM_CLIENT_SECRET"]
        found = await check(**variables, ZOOM_CLIENT_SECRET_FILE=str(secret))
        assert found.one("files_private")["details"] == {"files": [str(secret)]}
        open_to_all.mkdir()
        open_to_all.chmod(0o777)
        secret = secret.rename(open_to_all / "secret")
        secret.chmod(0o640)
        found = await check(**variables, ZOOM_CLIENT_SECRET_FILE=str(secret))
        assert found.one("file_exposed")["details"] == {"mode": "0640"}
        replaceable = found.one("path_replaceable")
        assert replaceable["details"] == {"directory": str(open_to_all)}
        assert f"chmod o-w {open_to_all}" in replaceable["advice"]
        assert found.lacks("files_private")
        # As /tmp is: others may write, but not rename what is not theirs.
        open_to_all.chmod(0o1777)
        found = await check(**variables, ZOOM_CLIENT_SECRET_FILE=str(secret))
        assert found.lacks("path_replaceable")


async def test_a_configuration_file_with_a_secret_in_it(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    async with simulator() as sim:
        file.write_text(
            f"upstream: {{api_url: '{sim}', token_url: '{sim}/oauth/token'}}\n"
            "listen: {port: 0}\nadmin: {port: 0}\n"
            "accounts: {default: {account_id: demo-account, apps: [{client_id: demo-client, "
            "client_secret: demo-secret}]}}\n"
        )
        file.chmod(0o644)
        found = await check("--config", str(file))
    assert found.one("file_exposed")["about"] == str(file)


async def test_a_configuration_file_without_a_secret_in_it(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text("log: {level: info}\nstore: {url: 'memory:'}\n")
    file.chmod(0o644)
    async with simulator() as sim:
        found = await check("--config", str(file), **credentials(sim))
    # The secret is in the environment: who reads this file has none.
    assert found.lacks("file_exposed", "files_private")


async def test_a_secret_in_the_file_that_the_environment_beats(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text(
        "accounts: {default: {apps: [{name: default, client_id: demo-client, "
        "client_secret: demo-secret}]}}\n"
    )
    file.chmod(0o604)
    name = "ZOOM_GATEWAY_ACCOUNTS__DEFAULT__APPS__0__CLIENT_SECRET"
    async with simulator() as sim:
        found = await check("--config", str(file), **credentials(sim), **{name: "demo-secret"})
    assert found.one("file_exposed")["about"] == str(file)


async def test_a_file_that_an_orchestrator_mounted(tmp_path: Path) -> None:
    # As Kubernetes lays out a volume: files are links through `..data`, and readable for all.
    (tmp_path / "..2027").mkdir()
    (tmp_path / "..2027" / "client-secret").write_text("demo-secret\n")
    (tmp_path / "..2027" / "client-secret").chmod(0o644)
    (tmp_path / "..data").symlink_to("..2027")
    (tmp_path / "client-secret").symlink_to("..data/client-secret")
    async with simulator() as sim:
        variables = credentials(sim)
        del variables["ZOOM_CLIENT_SECRET"]
        found = await check(**variables, ZOOM_CLIENT_SECRET_FILE=str(tmp_path / "client-secret"))
    exposed = found.one("file_exposed")
    assert (exposed["level"], exposed["details"]) == ("notice", {"mode": "0644"})
    assert "defaultMode" in exposed["advice"]
    assert found.exit_code == 0


async def test_files_of_the_store_that_others_can_read(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    kept = tmp_path / "retired.json"  # an account's that is not configured any more
    async with simulator() as sim:
        variables = {**credentials(sim), "ZOOM_GATEWAY_STORE__URL": f"file://{tmp_path}"}
        assert (await check("--mint", **variables)).lacks("file_exposed")
        kept.touch()
        kept.chmod(0o644)
        found = await check(**variables)
        assert found.one("file_exposed")["details"] == {"files": [str(kept)]}
        tmp_path.chmod(0o700)
        assert (await check(**variables)).lacks("file_exposed")


async def test_every_file_that_a_key_names_as_secret(tmp_path: Path) -> None:
    variables = {"ZOOM_CLIENT_SECRET": "", "ZOOM_GATEWAY_STORE__URL": SENTINELS}
    for key, (variable, content) in SECRET_FILES.items():
        (tmp_path / key).write_text(content)
        (tmp_path / key).chmod(0o644)
        variables[variable] = str(tmp_path / key)
    async with simulator() as sim:
        found = await check("--timeout", "3", **{**credentials(sim), **variables})
    exposed = {one["about"]: one["sentence"] for one in found.all("file_exposed")}
    assert exposed.keys() == {str(tmp_path / key) for key in SECRET_FILES}
    assert all(f" {Path(path).name} {path}" in told for path, told in exposed.items())
    assert SECRET not in found.stdout + found.stderr


def test_every_key_that_names_a_secret_file_is_among_them() -> None:
    """A new kind of secret belongs into the list above; what is public says so by its name."""
    named = {dotted(key.path) for key in all_keys() if key.path[-1].endswith("_file")}
    public = {key for key in named if key.endswith(("ca_file", "certificate_file"))}
    assert named - public == {re.sub(r"default|\b0\b", _general, key) for key in SECRET_FILES} | {
        # They need their certificates, or a rule: tests/settings, test_own_listeners, test_access.
        *("store.client_key_file", "tls.key_file", "access.keys.NAME.key_file")
    }


def _general(step: re.Match[str]) -> str:
    return "N" if step[0] == "0" else "NAME"


async def test_a_directory_of_the_store_that_others_can_write_to(tmp_path: Path) -> None:
    tmp_path.chmod(0o770)
    async with simulator() as sim:
        found = await check(**credentials(sim), ZOOM_GATEWAY_STORE__URL=f"file://{tmp_path}")
    assert f"write to the store's directory {tmp_path}" in found.one("file_exposed")["sentence"]


async def test_connections_that_the_process_may_not_have() -> None:
    async with simulator() as sim:
        variables = {**credentials(sim), "ZOOM_GATEWAY_LIMITS__CALLS": "10"}
        found = await check(**variables, ZOOM_GATEWAY_LIMITS__CONNECTIONS="20")
        assert found.one("limits_ok")["details"]["connections"] == 20
        # More than the system gives any process.
        found = await check(**variables, ZOOM_GATEWAY_LIMITS__CONNECTIONS=str(1 << 30))
    few = found.one("descriptors_too_few")
    assert (few["level"], few["about"]) == ("warning", "limits.connections")
    assert few["details"]["connections"] == 1 << 30
    assert "lower limits.connections to" in few["advice"]


async def test_where_bodies_are_kept(tmp_path: Path) -> None:
    async with simulator() as sim:
        variables = {**credentials(sim), "ZOOM_GATEWAY_REPLAY__DIR": str(tmp_path)}
        found = await check(**variables, ZOOM_GATEWAY_REPLAY__DISK_LIMIT="1000")
        kept = found.one("spool_ok")
        assert kept["details"]["directory"] == str(tmp_path)
        assert kept["details"]["free_bytes"] > 0
        assert list(tmp_path.iterdir()) == []
        found = await check(**variables, ZOOM_GATEWAY_REPLAY__DISK_LIMIT=str(1 << 60))
        assert "less than 4 bodies" in found.one("spool_space_low")["sentence"]
        found = await check(**variables, ZOOM_GATEWAY_LIMITS__KEPT_DISK=str(1 << 60))
        large = found.one("kept_disk_too_large")
        assert (large["level"], large["details"]["kept_disk"]) == ("warning", 1 << 60)
        variables["ZOOM_GATEWAY_REPLAY__DIR"] = "/proc"
        found = await check(**variables)
    assert "No file can be written in /proc" in found.one("spool_unwritable")["sentence"]
    assert found.exit_code == 1


async def test_ports_that_are_free() -> None:
    async with simulator() as sim:
        port = free_port()
        found = await check(**{**credentials(sim), "ZOOM_GATEWAY_LISTEN__PORT": str(port)})
    assert found.one("listener_free", "listen")["details"]["address"] == f"127.0.0.1:{port}"
    assert "free port" in found.one("listener_free", "admin")["sentence"]
    assert found.exit_code == 0


async def test_ports_that_a_gateway_has() -> None:
    async with simulator() as sim, gateway(sim) as gate:
        variables = {
            **credentials(sim),
            "ZOOM_GATEWAY_LISTEN__PORT": gate.url.rpartition(":")[2],
            "ZOOM_GATEWAY_ADMIN__PORT": gate.admin.rpartition(":")[2],
        }
        found = await check(**variables)
    assert [one["about"] for one in found.all("listener_is_gateway")] == ["listen", "admin"]
    advice = found.one("listener_is_gateway", "admin")["advice"]
    assert f"zoom-gateway status --url {gate.admin}" in advice
    assert found.exit_code == 0


async def test_a_port_that_another_program_has() -> None:
    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        while await reader.read(1000):
            pass

    async with simulator() as sim, server(answering()) as talks, server(silent) as hangs:
        variables = {
            **credentials(sim),
            "ZOOM_GATEWAY_LISTEN__PORT": str(hangs),
            "ZOOM_GATEWAY_ADMIN__PORT": str(talks),
        }
        found = await check(**variables)
    assert [one["about"] for one in found.all("listener_taken")] == ["listen", "admin"]
    assert "which is no gateway" in found.one("listener_taken")["sentence"]
    assert found.exit_code == 1


async def test_an_address_of_another_machine() -> None:
    async with simulator() as sim:
        found = await check(**{**credentials(sim), "ZOOM_GATEWAY_LISTEN__HOST": "192.0.2.1"})
    impossible = found.one("listener_impossible", "listen")
    assert "Cannot assign requested address" in impossible["sentence"]
    assert "listen.host" in impossible["advice"]


async def test_listening_everywhere() -> None:
    everywhere = {"ZOOM_GATEWAY_LISTEN__HOST": "0.0.0.0", "ZOOM_GATEWAY_ADMIN__HOST": "0.0.0.0"}
    async with simulator() as sim:
        variables = {**credentials(sim), **everywhere}
        found = await check(**variables)
        assert found.exit_code == 1
        assert [one["level"] for one in found.all("listens_everywhere")] == ["warning", "notice"]
        assert socket.gethostname() in found.one("listens_everywhere")["sentence"]
        found = await check("--ignore", "listens_everywhere", **variables)
    assert found.exit_code == 0
    assert [one["level"] for one in found.all("listens_everywhere")] == ["notice", "notice"]


async def test_a_listeners_name_that_is_never_resolved() -> None:
    async with simulator() as sim:
        variables = {**credentials(sim), "ZOOM_GATEWAY_LISTEN__HOST": "here.test"}
        found = await check("--timeout", "8", **variables, **faked(here_test=HUNG))
    assert found.one("unfinished")["about"] == "Listeners"
    assert found.one("reached", "api_url")
