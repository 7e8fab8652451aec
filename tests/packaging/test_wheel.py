"""The wheel is what users run: it is built, installed where no clone can be seen, and used."""

import ast
import hashlib
import importlib.metadata
import json
import os
import re
import sys
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import aiohttp
import pytest

import gateway
from gateway.cli import main as entry
from tests.packaging.wheel import (
    Installed,
    build,
    install,
    metadata,
    run,
    sdist_of,
    tracked,
    unpack,
    wheel_of,
)
from tests.support.processes import ROOT, Process, credentials, environment

DEMO: Final = ("demo", "--port", "0", "--admin-port", "0", "--sim-port", "0")


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The distributions of the folder DIST, if the environment names one; else built here."""
    given = os.environ.get("DIST")
    return (ROOT / given) if given else build(ROOT, tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def installed(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return install(wheel_of(dist), tmp_path_factory.mktemp("installed"))


class Demo:
    """The demo of the installed wheel."""

    def __init__(self, lines: str) -> None:
        self.gateway = re.findall(r"listens on (http://\S+),", lines)[0]
        self.sim = re.findall(r"POST (http://\S+)/_sim", lines)[0]
        self.admin = re.findall(r"Its state: +(http://\S+)/", lines)[0]


@pytest.fixture
async def demo(installed: Installed) -> AsyncIterator[Demo]:
    child = await Process.start(
        *DEMO, env=environment(), cwd=installed.home, program=installed.program
    )
    try:
        await child.wait_for_line("Ctrl-C ends it")
        await child.wait_for_line("Minted token 1")
        yield Demo(child.output)
    finally:
        await child.kill()


async def got(url: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as client, client.get(url) as answer:
        return answer.status, await answer.text()


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_wheel_holds_the_package_and_nothing_else(dist: Path) -> None:
    with zipfile.ZipFile(wheel_of(dist)) as archive:
        names = set(archive.namelist())
    package = {name for name in names if name.startswith("gateway/")}
    assert package == tracked("gateway")
    assert {"gateway/py.typed", "gateway/data/zoom_operations.tsv"} <= package
    home = f"zoom_gateway-{gateway.__version__}.dist-info"
    rest = ("METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE")
    assert names - package == {f"{home}/{name}" for name in rest}


def test_its_metadata(dist: Path) -> None:
    told = metadata(wheel_of(dist))
    assert (told["Name"], told["Version"]) == ("zoom-gateway", gateway.__version__)
    assert told["Requires-Python"] == ">=3.11"
    assert (told["License-Expression"], told["License-File"]) == ("Apache-2.0", "LICENSE")
    assert told.get_all("Provides-Extra") == ["otel"]
    assert told["Description-Content-Type"] == "text/markdown"
    described = told.get_payload(decode=True)
    assert isinstance(described, bytes)
    assert described.decode() == (ROOT / "README.md").read_text()
    with zipfile.ZipFile(wheel_of(dist)) as archive:
        (points,) = (name for name in archive.namelist() if name.endswith("entry_points.txt"))
        assert archive.read(points).decode().strip() == (
            f"[console_scripts]\nzoom-gateway = {entry.__name__}:main"
        )
        (tag,) = (name for name in archive.namelist() if name.endswith("/WHEEL"))
        assert "Tag: py3-none-any" in archive.read(tag).decode()


def test_it_asks_for_what_it_imports(dist: Path) -> None:
    owners = importlib.metadata.packages_distributions()
    asked = _names(metadata(wheel_of(dist)).get_all("Requires-Dist") or [])
    # What is sure to come with those: parts of their interfaces, and an extra that is asked for.
    asked |= {"multidict", "yarl"} if "aiohttp" in asked else set()
    asked |= {"pydantic-core"} if "pydantic" in asked else set()
    for module, place in sorted(_imported().items()):
        own = {_plain(name) for name in owners.get(module, [])}
        assert own & asked, f"{place} imports {module} of {own}"


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _names(requirements: list[str]) -> set[str]:
    return {_plain(re.split(r"[^\w.-]", one, maxsplit=1)[0]) for one in requirements}


def _imported() -> dict[str, str]:
    """The foreign top-level modules that the package imports, and a file that does."""
    found: dict[str, str] = {}
    for path in sorted((ROOT / "gateway").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names.append(str(node.module))
            found |= {name.partition(".")[0]: str(path.relative_to(ROOT)) for name in names}
    # The last is there for the type checker alone.
    own = sys.stdlib_module_names | {"gateway", "_typeshed"}
    return {name: place for name, place in found.items() if name not in own}


def test_the_source_distribution_makes_the_same_wheel(dist: Path, tmp_path: Path) -> None:
    source = unpack(sdist_of(dist), tmp_path / "source")
    again = build(source, tmp_path / "again", "wheel")
    assert wheel_of(again).name == wheel_of(dist).name
    assert digest(wheel_of(again)) == digest(wheel_of(dist))


def test_the_same_source_makes_the_same_bytes(dist: Path, tmp_path: Path) -> None:
    again = build(ROOT, tmp_path)
    assert digest(wheel_of(again)) == digest(wheel_of(dist))
    assert digest(sdist_of(again)) == digest(sdist_of(dist))


def test_the_installed_one_is_not_the_clone(installed: Installed) -> None:
    shown = installed.run("--version")
    assert shown == f"zoom-gateway, version {gateway.__version__}\n"
    script = "import gateway; print(gateway.__file__)"
    home = _python(installed, script).strip()
    assert Path(home).is_relative_to(installed.home)


def test_every_module_of_it_can_be_imported(installed: Installed) -> None:
    script = (
        "import gateway, importlib, pkgutil\n"
        "for one in pkgutil.walk_packages(gateway.__path__, 'gateway.'):\n"
        "    if not one.name.endswith('__main__'):\n"
        "        importlib.import_module(one.name); print(one.name)\n"
    )
    imported = set(_python(installed, script).split())
    files = {path for path in tracked("gateway") if path.endswith(".py")}
    assert len(imported) == len(files) - 2  # gateway/__init__.py and __main__.py


def _python(installed: Installed, script: str) -> str:
    return run(str(installed.python), "-c", script, cwd=installed.home, env=environment())


async def test_its_demo_takes_calls(demo: Demo) -> None:
    status, said = await got(f"{demo.gateway}/v2/users")
    assert (status, len(json.loads(said)["users"])) == (200, 30)
    # The route comes from the table of operations.
    _, metrics = await got(f"{demo.admin}/metrics")
    assert 'route="/v2/users",status="200"} 1.0' in metrics


async def test_its_status_page_is_whole(demo: Demo) -> None:
    status, page = await got(f"{demo.admin}/")
    assert status == 200
    assert "default" in page
    assert "<style" in page or "stylesheet" in page
    for target in re.findall(r'(?:href|src)="(/?[\w./-]+\.(?:css|js|svg))"', page):
        status, text = await got(f"{demo.admin}/{target.lstrip('/')}")
        assert (status, bool(text)) == (200, True), target
    status, state = await got(f"{demo.admin}/status.json")
    assert (status, json.loads(state)["replica"]["version"]) == (200, gateway.__version__)


async def test_its_other_commands(demo: Demo, installed: Installed) -> None:
    assert installed.run("status", "--url", demo.admin).startswith("ok ")
    assert "All is well." in installed.run("check", "--mint", **credentials(demo.sim))
    child = await Process.start(
        "serve",
        env=environment(**credentials(demo.sim)),
        cwd=installed.home,
        program=installed.program,
    )
    try:
        started = json.loads(await child.wait_for_line('"event":"started"'))
        await child.wait_for_line('"event":"token_minted"')
        status, _ = await got(f"http://{started['listen']}/v2/users/me")
        assert status == 200
    finally:
        await child.kill()
