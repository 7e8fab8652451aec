"""Renders charts with Helm's own engine; a program for the interpreter of `.venv-packaging`.

One JSON object a line on standard input, one on standard output. An `install` needs a cluster to
talk to: a server on loopback answers for one that holds nothing and takes everything.
"""

import asyncio
import json
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import helm_sdkpy  # type: ignore[import-not-found]  # is in that interpreter's environment alone

KINDS = {
    "v1": ["ConfigMap", "Pod", "Secret", "Service", "ServiceAccount"],
    "apps/v1": ["Deployment"],
    "cert-manager.io/v1": ["Certificate"],
    "autoscaling/v2": ["HorizontalPodAutoscaler"],
    "monitoring.coreos.com/v1": ["PodMonitor", "PrometheusRule", "ServiceMonitor"],
    "networking.k8s.io/v1": ["NetworkPolicy"],
    "policy/v1": ["PodDisruptionBudget"],
}


def plural(kind: str) -> str:
    lower = kind.lower()
    return f"{lower[:-1]}ies" if lower.endswith("y") else f"{lower}s"


def resources(version: str) -> dict[str, Any]:
    verbs = ["create", "delete", "get", "list", "patch", "update"]
    found = [
        {"name": plural(kind), "kind": kind, "namespaced": True, "verbs": verbs}
        for kind in KINDS[version]
    ]
    return {"kind": "APIResourceList", "groupVersion": version, "resources": found}


def groups() -> dict[str, Any]:
    found = []
    for version in KINDS:
        group, _, number = version.rpartition("/")
        one = {"groupVersion": version, "version": number}
        if group:
            found.append({"name": group, "versions": [one], "preferredVersion": one})
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": found}


class Cluster(BaseHTTPRequestHandler):
    """What Helm asks before and while it installs."""

    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
        pass

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        known: dict[str, Any] = {
            "/version": {"major": "1", "minor": "33", "gitVersion": "v1.33.0"},
            "/api": {"kind": "APIVersions", "versions": ["v1"]},
            "/apis": groups(),
            **{f"/{'api' if one == 'v1' else 'apis'}/{one}": resources(one) for one in KINDS},
        }
        if path.endswith("/secrets"):  # the releases so far
            self.answer(200, {"kind": "SecretList", "apiVersion": "v1", "items": []})
        elif path in known:
            self.answer(200, known[path])
        else:
            self.answer(404, {"kind": "Status", "status": "Failure", "reason": "NotFound"})

    def do_POST(self) -> None:
        # Echoed as it is: a release's Secret comes as protobuf, all else as JSON.
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send(201, self.headers["Content-Type"], body)

    def do_PUT(self) -> None:
        self.do_POST()

    def answer(self, status: int, body: dict[str, Any]) -> None:
        self.send(status, "application/json", json.dumps(body).encode())

    def send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def kubeconfig(port: int) -> str:
    cluster = {"server": f"http://127.0.0.1:{port}"}
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "here", "cluster": cluster}],
            "users": [{"name": "here", "user": {}}],
            "contexts": [{"name": "here", "context": {"cluster": "here", "user": "here"}}],
            "current-context": "here",
        }
    )


async def render(order: dict[str, Any], config: str) -> dict[str, Any]:
    helm = helm_sdkpy.Configuration(namespace=order["namespace"], kubeconfig=config)
    if order["action"] == "lint":
        found = await helm_sdkpy.Lint(helm).run(order["chart"])
        return {"lint": found}
    release = await helm_sdkpy.Install(helm).run(
        order["release"], order["chart"], order["values"], wait=False
    )
    return {
        "manifest": release["manifest"],
        "hooks": [hook["manifest"] for hook in release.get("hooks", [])],
        "notes": release["info"].get("notes", ""),
    }


def main() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Cluster)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(kubeconfig(server.server_port))
        file.flush()
        for line in sys.stdin:
            try:
                answer = asyncio.run(render(json.loads(line), file.name))
            except helm_sdkpy.HelmError as problem:
                answer = {"error": str(problem)}
            sys.stdout.write(f"{json.dumps(answer)}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
