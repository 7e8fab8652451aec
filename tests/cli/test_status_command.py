import http.server
import io
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from gateway.cli import status as module
from gateway.cli.admin_url import admin_url
from gateway.cli.status import status
from gateway.cli.status_view import View
from gateway.core.diagnosis import Chart
from gateway.core.status import ReadinessGate, Replica, snapshot
from gateway.web.errors import HOST_REFUSED
from tests.observe.charts import NOW, WALL, fleet, healthy, held_off, tokenless, troubled

Answer = tuple[int, dict[str, str], bytes]


class Gateway(http.server.ThreadingHTTPServer):
    """Answers each path as told, and keeps what it was asked for."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[str, Answer] = {}
        self.asked: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_port}"

    def says(self, body: object) -> None:
        self.answers["/status.json"] = (200, {}, json.dumps(body).encode())


class Handler(http.server.BaseHTTPRequestHandler):
    server: Gateway

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        code, headers, body = self.server.answers.get(self.path, (404, {}, b"no"))
        self.send_response(code)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    with Gateway() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def run(gateway: Gateway) -> Callable[..., Result]:
    def command(*arguments: str) -> Result:
        options = arguments if "--url" in arguments else ("--url", gateway.url, *arguments)
        return CliRunner().invoke(status, options)

    return command


def body(**charts: Chart) -> dict[str, Any]:
    replica = Replica("gw-1", "1.2.3", 42, NOW - 7500)
    return snapshot(charts, ReadinessGate().look(charts, charts), replica, NOW, WALL)


def test_all_is_well(gateway: Gateway, run: Any) -> None:
    gateway.says(body(default=healthy()))
    result = run()
    assert result.exit_code == 0
    assert result.stdout.startswith("ok All is well: calls get a token.\n")
    assert "replica gw-1, version 1.2.3, process 42, up for 2 h 5 min" in result.stdout
    assert "account default: ok" in result.stdout
    lines = result.stdout.splitlines()
    spare, active = (at for at, line in enumerate(lines) if line.startswith("default/"))
    assert lines[spare] == "default/0  spare 1"
    assert lines[spare + 1] == f"  {'░' * 18}{'█' * 6} 15 min of 1 h left"
    assert lines[active] == "default/1  active 2"
    assert lines[active + 1] == (
        f"  {'░' * 6}{'█' * 6}┃{'█' * 11} 45 min of 1 h left, rotates in 15 min"
    )
    assert lines[active + 2] == "  minted 15 min ago (rotation, by gw-1)"
    assert "Token 2 was minted 15 min ago in slot default/1 (rotation), by gw-1." in lines


def test_the_replicas_of_a_fleet(gateway: Gateway, run: Any) -> None:
    replica = Replica("gw-1", "1.2.3", 42, NOW - 7500, fleet())
    ready = ReadinessGate().look({"default": healthy()}, ["default"])
    gateway.says(snapshot({"default": healthy()}, ready, replica, NOW, WALL))
    lines = run().stdout.splitlines()
    (head,) = (number for number, line in enumerate(lines) if line.startswith("2 replicas"))
    assert lines[head + 1].split()[:5] == ["gw-1", "(this", "one)", "1.2.3", "10.0.0.1:8080"]
    assert "6 s ago" in lines[head + 2]
    assert lines[head + 2].endswith("default none")


def test_a_replica_on_its_own_names_no_others(gateway: Gateway, run: Any) -> None:
    older = body(default=healthy())
    for found in (older, {name: part for name, part in older.items() if name != "fleet"}):
        gateway.says(found)
        result = run()
        assert result.exit_code == 0
        assert "replicas" not in result.stdout


def test_something_is_wrong_and_what_to_do(gateway: Gateway, run: Any) -> None:
    gateway.says(body(default=held_off(), marketing=troubled()))
    result = run()
    assert result.exit_code == 1
    assert result.stdout.startswith("failing Account default: Zoom refuses a token")
    assert "  Since 2027-01-15 07:59:59 UTC." in result.stdout
    assert "that locks other minters out." in result.stdout.replace("\n ", "")
    assert "warning: Zoom takes only the previous client secret." in result.stdout
    assert "  Use a second app instead of a second index." in result.stdout
    assert "default/0  active 1, but Zoom refuses it\n  xxxx" in result.stdout
    assert "out" in result.stdout


def test_two_slots_that_are_out_are_both_told(gateway: Gateway, run: Any) -> None:
    chart = healthy()
    out = tuple(replace(slot, barred=f"no {slot.id.index}") for slot in chart.account.slots)
    gateway.says(body(default=replace(chart, account=replace(chart.account, slots=out))))
    said = run().stdout
    assert said.startswith("degraded Slot default/0 is out: no 0.")
    assert said.count("is out: no 0.") == 1
    assert "warning: Slot default/1 is out: no 1." in said


def test_not_ready_is_not_well(gateway: Gateway, run: Any) -> None:
    gateway.says(body(default=tokenless()))
    result = run()
    assert result.exit_code == 1
    assert result.stdout.startswith("unready Not ready: There is no usable token")
    assert "next try in 60 s" in result.stdout


def test_no_colour_codes_in_a_pipe(gateway: Gateway, run: Any) -> None:
    gateway.says(body(default=held_off()))
    assert "\x1b" not in run().stdout


def test_json_as_it_is(gateway: Gateway, run: Any) -> None:
    gateway.says(body(default=troubled()))
    result = run("--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout) == body(default=troubled())


def test_nobody_listens(run: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    result = run("--url", f"http://127.0.0.1:{port}")
    assert result.exit_code == 2
    assert "cannot be reached: Connection refused." in result.stderr
    assert "Check that it runs" in result.stderr


def test_somebody_listens_and_says_nothing(run: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        result = run("--url", url, "--timeout", "0.1")
    assert result.exit_code == 2
    assert "no answer within 0.1 s" in result.stderr


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((404, {}, b"no"), "it answers 404"),
        ((403, {}, b"no"), "it answers 403"),
        ((200, {}, b"<html>"), "its answer is not JSON"),
        ((200, {}, b"[]"), "its answer is not a status"),
        ((200, {}, b"{}"), "its answer is not a status"),
    ],
)
def test_something_else_listens(gateway: Gateway, run: Any, answer: Answer, words: str) -> None:
    gateway.answers["/status.json"] = answer
    result = run()
    assert result.exit_code == 2
    assert words in result.stderr
    assert "not the proxy's port" in result.stderr


@pytest.mark.parametrize(("page", "options"), [("/status.json", ()), ("/readyz", ("--ready",))])
def test_a_name_that_the_gateway_does_not_answer_under(
    gateway: Gateway, run: Any, page: str, options: tuple[str, ...]
) -> None:
    gateway.answers[page] = (403, {}, json.dumps({"message": HOST_REFUSED}).encode())
    result = run(*options)
    assert result.exit_code == 2
    assert "list 127.0.0.1 in access.hosts" in result.stderr


def test_a_status_of_another_version(gateway: Gateway, run: Any) -> None:
    gateway.says({"state": "ok", "sentence": "x", "accounts": [{}]})
    result = run()
    assert result.exit_code == 2
    assert "another version's status" in result.stderr


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/", "127.0.0.1:9090", ""])
def test_only_http(run: Any, url: str) -> None:
    result = run("--url", url)
    assert result.exit_code == 2
    assert "must begin with http://" in result.stderr


@pytest.mark.parametrize("url", ["http://[::1", "http://127.0.0.1:port", "http://", "http://a b"])
def test_a_url_that_is_none(run: Any, url: str) -> None:
    result = run("--url", url)
    assert result.exit_code == 2
    assert "cannot be reached" in result.stderr


@pytest.mark.parametrize(
    "location", ["http://127.0.0.2/status.json", "http://127.0.0.1:1/x", "ftp://127.0.0.1/x"]
)
def test_no_other_host_is_asked(gateway: Gateway, run: Any, location: str) -> None:
    gateway.answers["/status.json"] = (302, {"Location": location}, b"")
    result = run()
    assert result.exit_code == 2
    assert len(gateway.asked) == 1


def test_a_redirect_on_the_same_host_is_followed(gateway: Gateway, run: Any) -> None:
    gateway.says(body(default=healthy()))
    gateway.answers["/base/status.json"] = (302, {"Location": "/status.json"}, b"")
    result = run("--url", f"{gateway.url}/base")
    assert result.exit_code == 0
    assert gateway.asked == ["/base/status.json", "/status.json"]


def test_an_environments_proxy_is_not_asked(
    gateway: Gateway, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    gateway.says(body(default=healthy()))
    assert run().exit_code == 0


def test_what_the_other_side_says_does_not_steer_the_terminal(gateway: Gateway, run: Any) -> None:
    said = body(default=healthy())
    said["sentence"] = "well\x1b[2J\x07 [bold]done[/bold]"
    gateway.says(said)
    result = run()
    assert "\x1b" not in result.stdout
    assert "well?[2J? [bold]done[/bold]" in result.stdout


def test_what_happened_lately(gateway: Gateway, run: Any) -> None:
    told = body(default=healthy())
    told["accounts"][0] |= {
        "pace": {"seconds": 60, "calls": 9, "per_second": 0.15, "p50": 0.0184, "p99": 1.25},
        "timeline": {
            "step": 60,
            "columns": 180,
            "kinds": [
                *("calls", "recovered", "passed_on"),
                *("refusals", "mints", "mint_failures"),
            ],
            "rows": [[179, 5, 0, 0, 0, 1, 0], [1, 600, 0, 0, 0, 0, 0], [0, 600, 2, 0, 2, 1, 0]],
        },
        "events": [
            event("07:59:58", "token_refusals", "warning", "Zoom refused the token of 2 calls.", 2),
            event("07:00:01", "token_minted", "info", "Minted token 1."),
        ],
    }
    gateway.says(told)
    lines = run().stdout.splitlines()
    assert "last minute: 0.1 calls a second, p50 18 ms, p99 1.2 s" in lines
    assert "last 3 h, from then to now:" in lines
    lanes = {line.split()[0]: line for line in lines if line.rstrip()[-1:].isdigit()}
    assert lanes["calls"] == f"calls         ▁{'·' * 58}█ 1,205"
    assert lanes["refusals"] == f"refusals      {'·' * 59}█ 2"
    assert lanes["mints"] == f"mints         █{'·' * 58}█ 2"
    assert "passed" not in lanes
    happened = [" ".join(line.split()) for line in lines[-2:]]
    assert happened == [
        "07:59:58 warning: Zoom refused the token of 2 calls. (2 times)",
        "07:00:01 Minted token 1.",
    ]


def event(moment: str, name: str, level: str, message: str, count: int = 1) -> dict[str, Any]:
    at = f"2027-01-15T{moment}Z"
    return {"at": at, "since": at, "count": count, "event": name, "level": level} | {
        "message": message
    }


@pytest.mark.parametrize("chart", [healthy(), held_off(), troubled(), tokenless()])
def test_it_fits_into_eighty_columns(chart: Chart) -> None:
    said = io.StringIO()
    console = Console(file=said, force_terminal=True, width=80, color_system=None)
    View(console).show(body(default=chart, other=healthy()))
    assert max(len(line) for line in said.getvalue().splitlines()) <= 80


def test_bars_where_blocks_cannot_be_shown() -> None:
    file = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    view = View(Console(file=file, force_terminal=True, width=80, color_system=None))
    view.show(body(default=healthy()))
    file.seek(0)
    text = file.read()
    assert f"{'.' * 6}{'#' * 6}|{'#' * 11}" in text


def test_watching_shows_it_anew(
    gateway: Gateway, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway.says(body(default=healthy()))
    looks = 0

    def sleep(seconds: float) -> None:
        nonlocal looks
        assert seconds == module.WATCH
        looks += 1
        gateway.says(body(default=tokenless()))
        if looks == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", sleep)
    result = run("--watch")
    assert result.stdout.index("All is well") < result.stdout.index("Not ready: There is no")


def test_watching_outlasts_a_gateway_that_is_gone(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sleep(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", sleep)
    result = run("--watch", "--url", "http://127.0.0.1:1")
    assert "cannot be reached" in result.stderr


@pytest.mark.parametrize(
    ("code", "ready", "exit_code"), [(200, True, 0), (503, False, 1)], ids=["ready", "not ready"]
)
def test_readiness_alone(
    gateway: Gateway, run: Any, code: int, *, ready: bool, exit_code: int
) -> None:
    said = {"ready": ready, "state": "degraded", "reasons": ["Another program mints.\x1b[2J"]}
    gateway.answers["/readyz"] = (code, {}, json.dumps(said).encode())
    result = run("--ready")
    assert result.exit_code == exit_code
    first, second = result.stdout.splitlines()
    assert first == ("ready" if ready else "not ready")
    assert second == "Another program mints.?[2J"
    assert gateway.asked == ["/readyz"]


@pytest.mark.parametrize(
    "answer", [(404, {}, b"no"), (200, {}, b"<html>"), (200, {}, b"{}"), (500, {}, b"")]
)
def test_readiness_of_something_else(gateway: Gateway, run: Any, answer: Answer) -> None:
    gateway.answers["/readyz"] = answer
    result = run("--ready")
    assert result.exit_code == 2
    assert "is not a gateway's admin listener" in result.stderr


def test_the_admin_listener_of_this_environment_is_asked(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway.says(body(default=healthy()))
    monkeypatch.setenv("ZOOM_GATEWAY_ADMIN__PORT", str(gateway.server_port))
    monkeypatch.setenv("ZOOM_GATEWAY_ADMIN__HOST", "0.0.0.0")
    assert CliRunner().invoke(status).exit_code == 0


FILE = "admin: {host: '::', port: 9191}"


@pytest.mark.parametrize(
    ("variables", "text", "url"),
    [
        ({}, "", "http://127.0.0.1:9090"),
        ({"PORT": "9191"}, "", "http://127.0.0.1:9191"),
        ({"PORT": "0", "HOST": ""}, "", "http://127.0.0.1:9090"),
        ({"HOST": "0.0.0.0"}, "", "http://127.0.0.1:9090"),
        ({"HOST": "10.0.0.7"}, "", "http://10.0.0.7:9090"),
        ({}, FILE, "http://[::1]:9191"),
        ({"PORT": "9292"}, FILE, "http://[::1]:9292"),
        ({"HOST": "127.0.0.1"}, FILE, "http://127.0.0.1:9191"),
        ({"HOST": "127.0.0.1", "PORT": "9292"}, FILE, "http://127.0.0.1:9292"),
        ({}, "admin: {port:", "http://127.0.0.1:9090"),
        ({}, "[]", "http://127.0.0.1:9090"),
        ({}, "admin: 9191", "http://127.0.0.1:9090"),
        ({}, "listen: {port: 80}", "http://127.0.0.1:9090"),
    ],
)
def test_where_the_admin_listener_is(
    tmp_path: Path, variables: dict[str, str], text: str, url: str
) -> None:
    environ = {f"ZOOM_GATEWAY_ADMIN__{name}": value for name, value in variables.items()}
    if text:
        (tmp_path / "gateway.yaml").write_text(text)
        environ["ZOOM_GATEWAY_CONFIG"] = str(tmp_path / "gateway.yaml")
    assert admin_url(environ) == url


def test_a_file_that_is_not_there_is_passed_over(tmp_path: Path) -> None:
    assert admin_url({"ZOOM_GATEWAY_CONFIG": str(tmp_path / "no")}) == "http://127.0.0.1:9090"


def many(count: int) -> dict[str, Any]:
    charts = {f"account-{number}": healthy() for number in range(count)}
    charts["broken"] = tokenless()
    readiness = ReadinessGate().look(charts, set(charts), {"account-0"})
    replica = Replica("gw", "1", 1, NOW)
    return snapshot(charts, readiness, replica, NOW, WALL)


def test_of_many_accounts_the_worst_are_shown(gateway: Gateway) -> None:
    gateway.says(many(1000))
    printed = CliRunner().invoke(status, ["--url", gateway.url]).output
    assert printed.index("account broken: failing") < printed.index("account account-0: ok")
    assert printed.count("\naccount ") == 12
    assert "989 more accounts: 989 ok. --account NAME shows one." in printed


def test_one_account_of_many(gateway: Gateway) -> None:
    gateway.says(many(20))
    found = CliRunner().invoke(status, ["--url", gateway.url, "--account", "account-17"])
    assert "account account-17: ok" in found.output
    assert found.output.count("\naccount ") == 1
    assert "more accounts" not in found.output
    options = ["--url", gateway.url, "--json", "--account", "account-3"]
    body = json.loads(CliRunner().invoke(status, options).output)
    assert [one["name"] for one in body["accounts"]] == ["account-3"]
    unknown = CliRunner().invoke(status, ["--url", gateway.url, "--account", "nobody"])
    assert unknown.exit_code == 2
    assert "no account nobody" in unknown.output
