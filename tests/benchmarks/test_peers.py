"""What the benchmarks start beside the gateway, and what they say when it is not there."""

import contextlib
import dataclasses
import json
import sys
from pathlib import Path

import pytest
import yaml

from benchmarks import overhead, scaling
from benchmarks.support import configs, peers
from benchmarks.support.growth import DIMENSIONS
from benchmarks.support.peers import PEERS, PROGRAMS
from gateway.settings import load

ROOT = Path(__file__).parents[2]


def test_a_missing_peer_is_told_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    absent = dataclasses.replace(
        PEERS[0], name="Absent", needs=("no-such-command", ROOT / ".cache" / "no-such-file")
    )
    monkeypatch.setattr(peers, "PEERS", (absent, dataclasses.replace(absent, needs=())))
    told: list[str] = []
    found = peers.present(told.append)
    assert [peer.needs for peer in found] == [()]
    wanted = "no-such-command, .cache/no-such-file not found: `make bench-deps` installs it"
    assert told == [f"Absent is left out, {wanted}"]


def test_what_is_told_to_install_them_is_there() -> None:
    assert "\nbench-deps:" in (ROOT / "Makefile").read_text()


def test_a_proxy_that_ends_at_once_says_why(tmp_path: Path) -> None:
    broken = dataclasses.replace(
        PEERS[0], command=lambda *_: [sys.executable, "-c", "raise SystemExit('a bad day')"]
    )
    with (
        pytest.raises(RuntimeError, match="a bad day"),
        broken.running(tmp_path, "127.0.0.1:1"),
    ):
        pass


def test_the_gateway_is_configured_as_an_operator_would(tmp_path: Path) -> None:
    config = configs.gateway(tmp_path, (8080, 9090), "http://127.0.0.1:1", "http://127.0.0.1:2/t")
    file = tmp_path / "gateway.yaml"
    file.write_text(yaml.safe_dump(config))
    settings = load(file, {})
    assert len(settings.access.rules) == 11
    assert settings.log.sample == 1
    assert settings.store.url.startswith("file:")


def test_the_programs_of_all_peers_are_there() -> None:
    for name in ("plain_aiohttp.py", "raw_floor.py", "http_proxy.js", "express_axios.js"):
        assert (PROGRAMS / name).is_file()


def test_the_lock_of_nodes_modules_names_hashes_and_no_addresses() -> None:
    lock = json.loads((ROOT / "benchmarks" / "node" / "package-lock.json").read_text())
    packages = [one for name, one in lock["packages"].items() if name]
    assert len(packages) > 3
    assert all(one["integrity"].startswith("sha512-") for one in packages)
    assert not [one for one in packages if "resolved" in one]


def test_what_grows_is_measured_in_all_its_dimensions() -> None:
    assert {"connections", "bodies", "answers", "fields", "refusals", "accounts", "rules"} < set(
        DIMENSIONS
    )
    found = {
        "date": "2026-01-31",
        "machine": "2 cores",
        "command": "python benchmarks/scaling.py",
        "rounds": 5,
        "points": {"bodies": [[0.0, 50.2, 20_000.0, 900.0, 4000.0], [1.0, 61, 1e4, 950, 4100]]},
        "problems": ["accounts: no answer"],
    }
    text = scaling.shown(found)
    assert "| bodies | 0 KiB | 50 | 20,000 | 0.90 | 4.00 |" in text
    assert "|  | 1 KiB | 61 | 10,000 | 0.95 | 4.10 |" in text
    assert "Not measured: accounts: no answer." in text


def test_a_measurement_that_fails_leaves_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("no such day")

    monkeypatch.setattr(overhead, "MEASUREMENTS", {"memory": broken, "starting": broken})
    monkeypatch.setattr(overhead, "stage", contextlib.nullcontext)
    found = overhead.measure(["memory", "starting"], 1.0, 1)
    assert found.problems == ["memory: no such day", "starting: no such day"]
