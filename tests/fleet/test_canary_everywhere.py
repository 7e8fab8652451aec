"""Every secret there is, in every form, against everything that a gateway lets out.

The gateway runs as in a fleet: workers, Redis with a password, tokens encrypted there, spans to a
collector. Then whatever can fail, fails, with secrets in its hands.
"""

import asyncio
import base64
import contextlib
import os
import re
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

import aiohttp
import pytest

from gateway.sim import Account, App, SimConfig, Simulator
from tests.support.canaries import Canaries, forms
from tests.support.collector import Collector, collector
from tests.support.load import control, session
from tests.support.processes import ROOT, START, Gateway, Process, environment
from tests.support.raw_http import Caller
from tests.support.redis_server import RedisServer, redis_server

CLIENT_ID = "client-of-the-app"
KEY = bytes(range(7, 39))

SECRETS = {
    "client secret": 'Qw8"zK/4+v<&>r%7~cX2lu',
    "previous client secret": "Pv3'yL\\9=b{j}m;9pZ",
    "store password": "Rd5/xM+2=rE@p7:wQ0dZ",
    "sentinel password": "Sn6/wN+3=sZ8tX",
    "encryption key": base64.b64encode(KEY).decode(),
    "encryption key in digits": KEY.hex(),
    "tracing header": "Th7/vP+5=tQ9cK",
    "authorization of a caller": "Ca8/uR+6=aZ0zK",
    "cookie of a caller": "Cc9/tS+7=cZ1kQ",
    "key of a caller": "Ck1/sT+8=kZ2yQ",
    "key of a rule": "Ak5/aY+3=gZ6fX'hB",
    "key of a rule in a file": "Bk6/bZ+4=hZ7gX;iC",
    "password for a proxy": "Ep7/cA+5=iZ8hX",
    "query value": "Qv2/rU+9=qZ3rX",
    "body": "Bo3/qV+1=bZ4dX",
    "in an exception": "Ex4/pW+2=eZ5nX",
}

PAGES = ("/metrics", "/status.json", "/", "/readyz", "/livez", "/nothing", "/static/page.js")
RULES = (
    '[{"name": "reports", "callers": {"keys": ["written"]}, "operations": ["/v2/users/*"]},'
    ' {"name": "nobody", "action": "deny", "callers": {"keys": ["filed", "written"]}}]'
)
COMMANDS = ("serve", "demo", "simulate", "check", "status")


@asynccontextmanager
async def scene(
    tmp_path: Path,
) -> AsyncIterator[tuple[Canaries, Simulator, Collector, RedisServer]]:
    """Zoom, Redis and a collector that all want one of the secrets."""
    app = App(CLIENT_ID, SECRETS["client secret"], SECRETS["previous client secret"])
    canaries = Canaries(dict(SECRETS))
    async with Simulator(SimConfig(accounts=(Account("the-account", (app,)),))) as sim:
        tokens = sim.state.tokens
        mint = tokens.mint

        def remembering(*arguments: object) -> object:
            token = mint(*arguments)  # type: ignore[arg-type]  # as it was called
            # Tokens begin alike; what is secret of them is the end.
            canaries.secrets[f"token {token.fingerprint}"] = token.value.rpartition(".")[2]
            return token

        tokens.mint = remembering  # type: ignore[method-assign,assignment]  # to know their values
        with redis_server(tmp_path, password=SECRETS["store password"]) as redis:
            async with collector() as taken:
                yield canaries, sim, taken, redis


def files(tmp_path: Path, **contents: str) -> dict[str, str]:
    found = {}
    for name, content in contents.items():
        path = tmp_path / name
        path.write_text(content)
        path.chmod(0o644)  # `check` is to speak of it
        found[name] = str(path)
    return found


def variables(tmp_path: Path, sim: Simulator) -> dict[str, str]:
    paths = files(
        tmp_path,
        client=SECRETS["client secret"],
        key=SECRETS["encryption key"],
        headers=f"X-Key: {SECRETS['tracing header']}",
        caller=SECRETS["key of a rule in a file"],
    )
    password = quote(SECRETS["password for a proxy"], safe="")
    return {
        "ZOOM_ACCOUNT_ID": "the-account",
        "ZOOM_CLIENT_ID": CLIENT_ID,
        "ZOOM_CLIENT_SECRET_FILE": paths["client"],
        "ZOOM_GATEWAY_ACCOUNTS__DEFAULT__APPS__0__PREVIOUS_CLIENT_SECRET": SECRETS[
            "previous client secret"
        ],
        "ZOOM_GATEWAY_UPSTREAM__API_URL": sim.url,
        "ZOOM_GATEWAY_UPSTREAM__TOKEN_URL": f"{sim.url}/oauth/token",
        "ZOOM_GATEWAY_LISTEN__PORT": "0",
        "ZOOM_GATEWAY_ADMIN__PORT": "0",
        "ZOOM_GATEWAY_ADMIN__ALLOW_ACTIONS": "true",
        "ZOOM_GATEWAY_STORE__ENCRYPTION_KEY_FILE": paths["key"],
        "ZOOM_GATEWAY_TRACING__HEADERS_FILE": paths["headers"],
        "ZOOM_GATEWAY_UPSTREAM__EGRESS_PROXY": f"http://user:{password}@127.0.0.1:9",
        "ZOOM_GATEWAY_ACCESS__KEYS__WRITTEN__KEY": SECRETS["key of a rule"],
        "ZOOM_GATEWAY_ACCESS__KEYS__FILED__KEY_FILE": paths["caller"],
        "ZOOM_GATEWAY_ACCESS__RULES": RULES,
        "ZOOM_GATEWAY_LOG__LEVEL": "debug",
        "ZOOM_GATEWAY_TOKEN__WAIT_TIMEOUT": "1",
        "ZOOM_GATEWAY_TOKEN__MINT_TIMEOUT": "0.9",
        "ZOOM_GATEWAY_REPLAY__MEMORY_LIMIT": "16",
        "ZOOM_GATEWAY_REPLAY__DIR": str(tmp_path),
        "ZOOM_GATEWAY_DRAIN__DELAY": "0",
        "PYTHONPATH": f"{ROOT / 'tests/support/provoking'}:{ROOT}",
        "PROVOKE": SECRETS["in an exception"],
        "PROVOKE_CALLS": "yes",
    }


def address(url: str) -> tuple[str, int]:
    host, _, port = url.removeprefix("http://").partition(":")
    return host, int(port)


def requests() -> list[bytes]:
    """Calls that carry each of the caller's secrets: sound ones, and such as nobody can read."""
    query = quote(SECRETS["query value"], safe="")
    basic = base64.b64encode(f"{CLIENT_ID}:{SECRETS['client secret']}".encode()).decode()
    head = (
        f"Host: x\r\nAuthorization: Bearer {SECRETS['authorization of a caller']}\r\n"
        f"Proxy-Authorization: Basic {basic}\r\nCookie: s={SECRETS['cookie of a caller']}\r\n"
        f"X-Zoom-Gateway-Key: {SECRETS['key of a caller']}\r\n"
    )
    known = [
        f"{method} /v2/{path} HTTP/1.1\r\nHost: x\r\nX-Zoom-Gateway-Key: {key}\r\n{more}\r\n"
        for name in ("key of a rule", "key of a rule in a file")
        for key in (SECRETS[name], f"{SECRETS[name]}x")
        for method, path in (("GET", "users/me"), ("DELETE", f"meetings/{quote(key, safe='')}"))
        for more in ("", f"X-Zoom-Gateway-Key: {key}\r\n", f"Authorization: Bearer {key}\r\n")
    ]
    body = SECRETS["body"] * 10
    post = f"{head}Content-Type: text/plain\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    form = f"client_secret={query}&refresh_token={SECRETS['body']}"
    grant = (
        f"{head}Content-Type: application/x-www-form-urlencoded\r\n"
        f"Content-Length: {len(form)}\r\n\r\n{form}"
    )
    # Zoom, and so the simulator, may give back a document that it was sent; a text it may not.
    texts = [
        *known,
        f"GET /v2/users/me?access_token={query} HTTP/1.1\r\n{head}\r\n",
        f"POST /v2/users/me/meetings?x={query} HTTP/1.1\r\n{post}",
        f"POST /oauth/token?x={query} HTTP/1.1\r\n{grant}",
        f"POST /oauth/revoke?token={query} HTTP/1.1\r\n{grant}",
        f"POST /accounts/default/rotate?x={query} HTTP/1.1\r\n{post}",
        f"GET /v2/users?{query} HTTP/1.1\r\n{head}X-Zoom-Account: {query}\r\n\r\n",
        f"GET /@{query}/v2/users HTTP/1.1\r\n{head}\r\n",
        f"GET http://u:{query}@h/v2/users HTTP/1.1\r\n{head}\r\n",
        f"CONNECT {query}:443 HTTP/1.1\r\n{head}\r\n",
        f"{query} /v2/users HTTP/1.1\r\n{head}\r\n",
        f"GET /v2/users?{query} HTTP/9.9\r\n{head}\r\n",
        f"GET /v2/users HTTP/1.1\r\n{head}{SECRETS['body']}\r\n\r\n",
        f"GET /v2/users HTTP/1.1\r\n{head}X-Long: {SECRETS['body'] * 9000}\r\n\r\n",
        f"GET /{query * 9000} HTTP/1.1\r\n{head}\r\n",
        f"POST /v2/users HTTP/1.1\r\n{head}Transfer-Encoding: chunked\r\n\r\n{SECRETS['body']}\r\n",
        f"POST /v2/users HTTP/1.1\r\n{head}Content-Length: {SECRETS['body']}\r\n\r\n",
    ]
    return [text.encode() for text in texts]


async def answer_to(request: bytes, url: str) -> str:
    """What comes back on a connection of its own, until it ends or falls silent."""
    async with await Caller.connect(address(url)) as caller:
        caller.writer.write(request)
        text = b""
        try:
            async with asyncio.timeout(0.5):
                while part := await caller.reader.read(65536):
                    text += part
        except (TimeoutError, ConnectionError):
            pass
        return text.decode("latin-1")


async def everything(canaries: Canaries, gate: Gateway, client: aiohttp.ClientSession) -> None:
    """All answers of both listeners, to all calls."""
    said = await asyncio.gather(
        *(answer_to(one, url) for url in (gate.url, gate.admin) for one in requests())
    )
    canaries.hear("an answer", "\n".join(said))
    # The keys were read: those of the rules refuse.
    assert "X-Zoom-Gateway-Error: not_allowed" in "".join(said)
    for page in PAGES:
        for kind in ("text/html", "application/openmetrics-text; version=1.0.0"):
            async with client.get(f"{gate.admin}{page}", headers={"Accept": kind}) as answer:
                canaries.hear(page, f"{answer.headers}\n{await answer.text()}")
    async with client.get(f"{gate.admin}/events") as answer:
        canaries.hear("/events", await answer.content.readuntil(b"\n\n"))


def of_the_processes(canaries: Canaries, *pids: int) -> None:
    """What all users of the machine see of them. The environment is its owner's alone."""
    for pid in pids:
        process = Path(f"/proc/{pid}")
        for name in ("cmdline", "comm", "stat", "maps"):
            canaries.hear(f"/proc/PID/{name}", (process / name).read_bytes().decode("latin-1"))
        for link in (process / "fd").iterdir():
            with contextlib.suppress(OSError):  # closed by now
                canaries.hear("the name of a file", link.readlink())


async def told_by(canaries: Canaries, *arguments: str, env: dict[str, str]) -> str:
    process = await Process.start(*arguments, env=env)
    await process.ended(60)
    canaries.hear(" ".join(arguments[:2]), process.output)
    return process.output


async def started(env: dict[str, str], *options: str) -> Gateway:
    gate = await Gateway.start("serve", *options, env=env)
    assert isinstance(gate, Gateway)
    line = await gate.wait_for_line("takes calls on", START)
    gate.url, gate.admin = (f"http://{one}" for one in re.findall(r"127\.0\.0\.1:\d+", line)[:2])
    return gate


async def failing(
    canaries: Canaries, gate: Gateway, sim: Simulator, break_the_store: Callable[[], None]
) -> None:
    """One fault after the other, each with calls in hand."""
    async with session() as client:
        await everything(canaries, gate, client)
        await control(client, sim.url, "kill")
        await everything(canaries, gate, client)
        for faults in (
            {"refuse_all": True, "mint_status": 500},
            {"mint_status": 400},
            {"drop": "mid_body", "drop_share": 1},
        ):
            await control(client, sim.url, "faults", faults, "PUT")
            await control(client, sim.url, "kill")
            await everything(canaries, gate, client)
        break_the_store()
        workers = [int(pid) for pid in re.findall(r'"worker_started".*?"pid":(\d+)', gate.output)]
        of_the_processes(canaries, gate.child.pid, *workers)
        for pid in workers or [gate.child.pid]:
            os.kill(pid, signal.SIGUSR1)
        await gate.wait_for_line("ForgottenTask")
        await everything(canaries, gate, client)


async def test_nothing_that_a_fleet_lets_out_holds_a_secret(tmp_path: Path) -> None:
    async with scene(tmp_path) as (canaries, sim, taken, redis):
        password = quote(SECRETS["store password"], safe="")
        env = environment(
            **variables(tmp_path, sim),
            ZOOM_GATEWAY_STORE__URL=f"redis://:{password}@localhost:{redis.port}/0",
            ZOOM_GATEWAY_TRACING__ENDPOINT=taken.url,
        )
        gate = await started(env, "--workers", "2")
        try:
            await failing(canaries, gate, sim, redis.kill)
            assert "default" in await told_by(canaries, "status", "--url", gate.admin, env=env)
            await told_by(canaries, "status", "--json", "--url", gate.admin, env=env)
            gate.signal(signal.SIGTERM)
            await gate.ended(60)
        finally:
            await gate.kill()
        canaries.hear("the log", gate.output)
        canaries.hear("spans", b"\n".join(taken.bodies).decode("latin-1"))
        # What is heard is not nothing.
        assert {one["x-key"] for one in taken.headers} == {SECRETS["tracing header"]}
    assert sum(name.startswith("token") for name in canaries.secrets) >= 2
    assert '"exception":"sitecustomize.Unhandled"' in gate.output
    canaries.show_nowhere()


async def test_nor_does_a_single_one_with_files_and_a_log_for_people(tmp_path: Path) -> None:
    store = tmp_path / "store"
    store.mkdir(mode=0o700)
    async with scene(tmp_path) as (canaries, sim, _, _):
        env = environment(
            **variables(tmp_path, sim),
            ZOOM_GATEWAY_STORE__URL=f"file://{store}",
            ZOOM_GATEWAY_TOKEN__ROTATE_AT="0.5",
            ZOOM_GATEWAY_LOG__FORMAT="console",
        )
        gate = await started(env)
        try:

            def break_the_store() -> None:
                canaries.hear("the store", "".join(one.read_text() for one in store.iterdir()))
                for one in store.glob("[!_]*.json"):
                    one.write_text(f"{{{SECRETS['in an exception']}")

            await failing(canaries, gate, sim, break_the_store)
            gate.signal(signal.SIGINT)
            await gate.ended(60)
        finally:
            await gate.kill()
        canaries.hear("the log", gate.output)
        canaries.hear("names of files", "".join(str(one) for one in tmp_path.rglob("*")))
    assert '"default"' in canaries.said["the store"]
    assert "sitecustomize.Unhandled" in gate.output
    canaries.show_nowhere()


async def test_nor_does_a_command(tmp_path: Path) -> None:
    """`check` with all that it finds wrong, `serve` with what it cannot use, and every help."""
    async with scene(tmp_path) as (canaries, sim, taken, redis):
        password = quote(SECRETS["store password"], safe="")
        env = environment(
            **variables(tmp_path, sim),
            ZOOM_GATEWAY_STORE__URL=f"redis://:{password}@localhost:{redis.port}/0",
            ZOOM_GATEWAY_TRACING__ENDPOINT=taken.url,
            HTTPS_PROXY=f"http://user:{quote(SECRETS['query value'], safe='')}@127.0.0.1:9",
            ZOOM_GATEWAY_STOREURL=SECRETS["client secret"],
        )
        wrong = {**env, "ZOOM_GATEWAY_STORE__SENTINEL_PASSWORD": SECRETS["sentinel password"]}
        unheard = {**wrong, "ZOOM_GATEWAY_STORE__URL": "redis+sentinel://127.0.0.1:9/primary"}
        unheard["ZOOM_GATEWAY_STORE__PASSWORD"] = SECRETS["store password"]
        quick = ("check", "--timeout", "3")
        said = await told_by(canaries, "check", "--mint", "--json", env=env)
        assert {"file_exposed", "variable_ignored"} <= {*said.replace('"', " ").split()}
        await told_by(canaries, "check", "--probe-invalidation", "--yes", env=env)
        await told_by(canaries, *quick, "--mint", env=unheard)
        for command in ("serve", "check"):
            assert "sentinel_password" in await told_by(canaries, command, env=wrong)
        sim.control.put_faults(mint_status=500)
        await told_by(canaries, *quick, "--mint", env=env)
        helps = [told_by(canaries, command, "--help", env=env) for command in COMMANDS]
        assert all("Usage" in one for one in await asyncio.gather(*helps))
    canaries.show_nowhere()


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_in_any_form_would_be_found(name: str) -> None:
    secret = SECRETS[name]
    id_and_secret = base64.b64encode(f"{CLIENT_ID}:{secret}".encode()).decode()
    for text in (*forms(secret), id_and_secret, f"prefix{secret}suffix".upper()):
        canaries = Canaries({name: secret})
        canaries.hear("a place", f"before {text} after")
        assert canaries.found(), text
