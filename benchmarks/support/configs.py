"""The configurations of upstream, gateway and peers, as texts."""

import os
from pathlib import Path
from typing import Any, Final

import yaml

TOKEN: Final = "a-fixed-token"
KEY: Final = "a-key-of-the-benchmark"
CALLER: Final = {"X-Zoom-Gateway-Key": KEY}
"""What callers send, to every proxy."""
CALL: Final = "/v2/users/me"
ANSWER: Final = '{"id":"KDcuGIm1QgePTO8WbOqwIQ","email":"jchill@example.com","about":"%s"}'
"""Filled up to 400 bytes."""
SIZE: Final = 400

_NGINX: Final = """
daemon off; worker_processes 1; pid {folder}/{name}.pid; error_log stderr error; {user}
events {{ worker_connections 20000; }}
http {{
  access_log off; keepalive_requests 100000000; keepalive_timeout 600s; client_max_body_size 0;
  client_body_temp_path {folder}/{name}-body; proxy_temp_path {folder}/{name}-proxy;
  fastcgi_temp_path {folder}/{name}-f; uwsgi_temp_path {folder}/{name}-u;
  scgi_temp_path {folder}/{name}-s;
  {rest}
}}
"""
_API: Final = """
  default_type application/json; sendfile on;
  server {{ listen 127.0.0.1:{port} backlog=8192;
    location / {{ return 200 '{answer}'; }}
    location /files/ {{ root {folder}; }} }}
"""
_PROXY: Final = """
  upstream api {{ server {authority}; keepalive 64; keepalive_requests 100000000; }}
  server {{ listen 127.0.0.1:{port}; location / {{
    proxy_pass http://api; proxy_http_version 1.1; proxy_set_header Connection "";
    proxy_set_header Authorization "Bearer {token}"; }} }}
"""
_HAPROXY: Final = """
global
  nbthread 1
  maxconn 5000
defaults
  mode http
  timeout connect 5s
  timeout client 600s
  timeout server 600s
frontend callers
  bind 127.0.0.1:{port}
  http-request set-header Authorization "Bearer {token}"
  default_backend api
backend api
  http-reuse always
  server api {authority}
"""


def api_nginx(folder: Path, port: int) -> str:
    """The upstream: one worker, an answer of 400 bytes, files below /files/."""
    answer = ANSWER % ("x" * (SIZE - len(ANSWER) + 2))
    return _nginx(folder, "api", _API.format(port=port, answer=answer, folder=folder))


def proxy_nginx(folder: Path, port: int, authority: str) -> str:
    return _nginx(folder, "proxy", _PROXY.format(port=port, authority=authority, token=TOKEN))


def _nginx(folder: Path, name: str, rest: str) -> str:
    user = "user root;" if os.getuid() == 0 else ""
    return _NGINX.format(folder=folder, name=name, user=user, rest=rest)


def haproxy(port: int, authority: str) -> str:
    return _HAPROXY.format(port=port, authority=authority, token=TOKEN)


def envoy(port: int, authority: str) -> str:
    host, _, upstream = authority.rpartition(":")
    kind = "type.googleapis.com/envoy.extensions.filters"
    manager: dict[str, Any] = {
        "@type": f"{kind}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "callers",
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "api",
                    "domains": ["*"],
                    "routes": [
                        {
                            "match": {"prefix": "/"},
                            "route": {"cluster": "api", "timeout": "0s"},
                            "request_headers_to_add": [
                                {
                                    "header": {
                                        "key": "Authorization",
                                        "value": f"Bearer {TOKEN}",
                                    },
                                    "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
                                }
                            ],
                        }
                    ],
                }
            ]
        },
        "http_filters": [
            {
                "name": "router",
                "typed_config": {"@type": f"{kind}.http.router.v3.Router"},
            }
        ],
    }
    listener = {
        "name": "callers",
        "address": _address("127.0.0.1", port),
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }
    end = {"endpoint": {"address": _address(host, int(upstream))}}
    cluster = {
        "name": "api",
        "type": "STATIC",
        "connect_timeout": "5s",
        "load_assignment": {"cluster_name": "api", "endpoints": [{"lb_endpoints": [end]}]},
    }
    return yaml.safe_dump({"static_resources": {"listeners": [listener], "clusters": [cluster]}})


def _address(host: str, port: int) -> dict[str, Any]:
    return {"socket_address": {"address": host, "port_value": port}}


def gateway(folder: Path, ports: tuple[int, int], api: str, tokens: str) -> dict[str, Any]:
    """The gateway as an operator runs it: with keys and rules, tokens on disk, every line."""
    rules: list[dict[str, Any]] = [
        {
            "name": f"reports-{number}",
            "methods": ["GET"],
            "operations": [f"/v2/report/r{number}/**"],
        }
        for number in range(8)
    ]
    rules += [
        {"name": "no-deletes", "action": "deny", "methods": ["DELETE"]},
        {"name": "not-from-there", "action": "deny", "callers": {"networks": ["192.0.2.0/24"]}},
        {"name": "bench", "operations": ["/v2/**"], "callers": {"keys": ["bench"]}},
    ]
    app = {
        "name": "bench",
        "client_id": "demo-client",
        "client_secret": "demo-secret",
        "token_indexes": [0, 1],
    }
    return {
        "listen": {"port": ports[0]},
        "admin": {"port": ports[1]},
        "upstream": {"api_url": api, "token_url": tokens},
        "accounts": {"default": {"account_id": "demo-account", "apps": [app]}},
        "access": {"default": "deny", "keys": {"bench": {"key": KEY}}, "rules": rules},
        "store": {"url": f"file://{folder}/store"},
        "drain": {"delay": 0, "timeout": 0},  # nobody waits for its end
        "log": {"format": "json", "level": "info", "sample": 1},
    }
