"""The configuration as another process reads it: the same, with its secrets, or all problems."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from gateway.cli import apart
from gateway.core.errors import ConfigurationError
from gateway.core.secret import Secret
from gateway.settings import Settings, load
from gateway.settings.store_urls import SecretUrl
from tests.support.processes import DEADLINE, ROOT, environment

APP = {"client_id": "an-id", "client_secret": "very-secret", "token_indexes": [0, 1]}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    key = tmp_path / "key"
    key.write_text("k" * 32)
    made = tmp_path / "gateway.yaml"
    rule = {"name": "all", "operations": ["/v2/**"], "callers": {"keys": ["one"]}}
    sections = {
        "accounts": {"default": {"account_id": "an-account", "apps": [APP]}},
        "access": {"keys": {"one": {"key_file": str(key)}}, "rules": [rule]},
        "store": {"url": "redis://user:hunter2@localhost/3"},
        "upstream": {"egress_proxy": "http://me:hunter3@proxy.example:3128"},
        "replay": {"dir": str(tmp_path)},
    }
    made.write_text(json.dumps(sections))
    return made


@pytest.fixture(params=["doubled", "started anew"])
def another(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """By either way to another process."""
    count = 1 if request.param == "doubled" else 2
    monkeypatch.setattr(threading, "active_count", lambda: count)


@pytest.mark.usefixtures("another")
def test_the_same_as_if_it_were_read_here(file: Path) -> None:
    there, here = apart.read(file), load(file, os.environ)
    assert isinstance(there, Settings)
    assert there == here
    assert there.describe() == here.describe()
    assert isinstance(there.store.url, SecretUrl)
    assert there.store.url.reveal() == "redis://user:hunter2@localhost/3"
    assert there.accounts["default"].apps[0].client_secret == Secret("very-secret")


@pytest.mark.usefixtures("another")
def test_every_problem(file: Path) -> None:
    file.write_text("listen: {port: x}\nnothing: 1\n")
    with pytest.raises(ConfigurationError) as here:
        load(file, os.environ)
    with pytest.raises(ConfigurationError) as there:
        apart.read(file)
    assert there.value.problems == here.value.problems
    assert len(there.value.problems) > 1


def test_a_reader_that_fails_says_so(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "active_count", lambda: 2)
    monkeypatch.setattr(apart, "ourselves", lambda: (sys.executable, "-c", "raise SystemExit(9)"))
    with pytest.raises(ConfigurationError, match="reads the configuration ended with 9"):
        apart.read(file)
    monkeypatch.setattr(apart, "ourselves", lambda: (str(file.parent / "no-program"),))
    with pytest.raises(ConfigurationError, match="no process can be started"):
        apart.read(file)


HELD = """
import os, sys
from pathlib import Path
from gateway.cli import apart

wait = apart.begin(Path(sys.argv[1]))
settings = wait()
again = apart.read(Path(sys.argv[1]))
from gateway.settings.changes import applicable, changes

assert settings == again and hash(settings.log) == hash(again.log)
assert changes(settings, again).applied == ()
log = settings.log.model_copy(update={"level": "debug"})
listen = settings.listen.model_copy(update={"port": 1})
other = again.model_copy(update={"log": log, "listen": listen})
found = changes(settings, other)
assert (found.applied, found.ignored) == (("log",), ("listen.port",)), found
assert applicable(settings, other).listen == settings.listen
try:
    settings.log.level = "error"
except AttributeError:
    pass
else:
    raise AssertionError("it changed")
print(*(name for name in ("pydantic", "pydantic_core", "yaml") if name in sys.modules))
print(settings.limits.model_dump() == dict(vars(settings.limits)), repr(settings))
print(settings.accounts["default"].apps[0].credentials().client_secret.reveal())
print(settings.access.keys["one"].current().reveal())
print(settings.store.redis.database, settings.upstream.shown_proxy(os.environ))
"""


def test_who_holds_it_does_without_what_reads_it(file: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", HELD, str(file)],
        env=environment(PYTHONPATH=str(ROOT)),
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    none, shown, secret, key, store = done.stdout.splitlines()
    assert none == ""
    assert shown.startswith("True ")
    assert not any(text in shown for text in ("very-secret", "hunter2", "hunter3"))
    assert (secret, key) == ("very-secret", "k" * 32)
    assert store == "3 proxy.example:3128"


def test_without_another_process_it_reads_by_itself(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "fork")
    assert apart.begin(file)() == apart.read(file) == load(file, os.environ)


def test_no_memory_for_another_process_is_no_reason_not_to_serve(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused() -> Any:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", refused)
    assert apart.begin(file)() == load(file, os.environ)
