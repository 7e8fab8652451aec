from collections.abc import Iterator
from pathlib import Path
from shutil import copytree

import pytest
import yaml

from tests.support.helm import CHART, Helm, Rendered, engine
from tests.support.processes import ROOT

APP = Path(__file__).parent / "app"
CASES = sorted(path.name.removesuffix("-values.yaml") for path in CHART.glob("ci/*-values.yaml"))
PLAIN = {
    "plain": ROOT / "config" / "kubernetes" / "sidecar.yaml",
    "socket": ROOT / "config" / "kubernetes" / "sidecar-socket.yaml",
}
"""Manifests to copy from."""


@pytest.fixture(scope="session")
def helm() -> Iterator[Helm]:
    with engine() as found:
        yield found


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A chart with an application, which has ours as its dependency."""
    chart = tmp_path_factory.mktemp("charts") / "app"
    copytree(APP, chart)
    copytree(CHART, chart / "charts" / CHART.name)
    return chart


@pytest.fixture(scope="session")
def matrix(helm: Helm, app: Path) -> dict[str, Rendered]:
    """All that we render, by name: the values in helm/ci, the application, the plain manifests."""
    found = {
        case: helm.render(yaml.safe_load((CHART / "ci" / f"{case}-values.yaml").read_text()))
        for case in CASES
    }
    found["app"] = helm.render({}, app)
    for name, file in PLAIN.items():
        found[name] = Rendered(tuple(yaml.safe_load_all(file.read_text())))
    return found
