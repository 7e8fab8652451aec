"""The chart, rendered by Helm itself: `Helm.render(values)` gives what would be installed."""

import json
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from tests.support.needed import unavailable
from tests.support.processes import ROOT

CHART: Final = ROOT / "helm"
RELEASE: Final = "release"
NAMESPACE: Final = "calls"
NAME: Final = "release-zoom-gateway"
"""What the chart's objects are called in this release."""

Values = dict[str, Any]
Document = dict[str, Any]


class RefusedError(Exception):
    """Helm installs nothing; the text is what it says."""


class Strict(yaml.SafeLoader):
    """Takes no key twice, as kustomize and Argo CD do not."""


def _mapping(loader: Strict, node: yaml.MappingNode) -> Document:
    keys = [key.value for key, _ in node.value]
    twice = {key for key in keys if keys.count(key) > 1}
    assert not twice, f"twice in a mapping: {twice}, {node.start_mark}"
    return {str(key): value for key, value in loader.construct_mapping(node, deep=True).items()}


Strict.add_constructor("tag:yaml.org,2002:map", _mapping)


def tool(name: str) -> Path:
    """A program of `.venv-packaging`. Skips the test without it, but for CI, where it must be."""
    found = ROOT / ".venv-packaging" / "bin" / name
    if not found.exists():
        unavailable(f"{found.relative_to(ROOT)} is not there: make test-packaging makes it")
    return found


@dataclass(frozen=True)
class Rendered:
    """What Helm would install, what it runs for `helm test`, and what it says."""

    documents: tuple[Document, ...]
    hooks: tuple[Document, ...] = ()
    notes: str = ""

    def every(self, kind: str) -> list[Document]:
        return [one for one in self.documents if one["kind"] == kind]

    def one(self, kind: str, name: str | None = None) -> Document:
        found = [one for one in self.every(kind) if name in {None, one["metadata"]["name"]}]
        assert len(found) == 1, f"{len(found)} of {kind} {name or ''}"
        return found[0]

    @property
    def pod(self) -> Document:
        """The spec of the one Deployment's pods."""
        spec: Document = self.one("Deployment")["spec"]["template"]["spec"]
        return spec

    @property
    def gateway(self) -> Document:
        """The gateway's container, wherever it is in the pod."""
        containers = [*self.pod.get("initContainers", []), *self.pod["containers"]]
        found: list[Document] = [one for one in containers if one["name"] == "zoom-gateway"]
        assert len(found) == 1
        return found[0]

    @property
    def config(self) -> Document:
        """gateway.yaml."""
        maps = [one["data"] for one in self.every("ConfigMap")]
        found = [data["gateway.yaml"] for data in maps if "gateway.yaml" in data]
        assert len(found) == 1
        tree: Document = yaml.safe_load(found[0])
        return tree


class Helm:
    """One engine for many charts: to load it takes longer than to render."""

    def __init__(self, child: "subprocess.Popen[str]") -> None:
        self._child = child
        self._known: dict[str, dict[str, Any]] = {}

    def render(
        self,
        values: Values,
        chart: Path = CHART,
        release: str = RELEASE,
        namespace: str = NAMESPACE,
    ) -> Rendered:
        """Raises RefusedError if Helm refuses the values."""
        answer = self._ask("install", chart, values=values, release=release, namespace=namespace)
        return Rendered(
            tuple(one for one in yaml.load_all(answer["manifest"], Strict) if one),
            tuple(yaml.load(hook, Strict) for hook in answer["hooks"]),
            answer["notes"],
        )

    def lint(self, chart: Path = CHART) -> dict[str, Any]:
        found: dict[str, Any] = self._ask("lint", chart)["lint"]
        return found

    def _ask(self, action: str, chart: Path, **more: Any) -> dict[str, Any]:
        order = {"action": action, "chart": str(chart), "namespace": NAMESPACE} | more
        text = json.dumps(order)
        if text not in self._known:
            assert self._child.stdin
            assert self._child.stdout
            self._child.stdin.write(f"{text}\n")
            self._child.stdin.flush()
            line = self._child.stdout.readline()
            assert line, "Helm's engine has ended"
            self._known[text] = json.loads(line)
        answer = self._known[text]
        if "error" in answer:
            raise RefusedError(answer["error"])
        return answer


@contextmanager
def engine() -> Iterator[Helm]:
    """Helm's engine as a process, ended with its input."""
    program = ROOT / "tests" / "support" / "helm_engine.py"
    with (
        tempfile.TemporaryFile() as words,
        subprocess.Popen(
            [str(tool("python")), str(program)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=words,
            text=True,
        ) as child,
    ):
        assert child.stdin
        try:
            yield Helm(child)
        finally:
            child.stdin.close()
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
