"""Hosts in memory, each with a script of its own, that remember who was sent what."""

import re
from collections.abc import Callable

from gateway.web.elsewhere import Elsewhere
from tests.support.scripted_upstream import Reply, ScriptedUpstream, Sent

ZOOMS = re.compile(rb"([a-z0-9_-]+\.)*(zoom\.us|zoomgov\.com)")
"""An oracle of its own for Zoom's names."""

API = "api.zoom.test"
"""The one that is configured."""


def redirect(location: bytes, status: int = 302, *fields: tuple[bytes, bytes]) -> Reply:
    headers = [(b"Location", location), (b"Content-Length", b"5"), *fields]
    return Reply(status, headers, [b"moved"], reason="Found")


class ScriptedHosts:
    """`script` gives each host's replies; any other host's is a 404."""

    def __init__(self, **script: Reply | list[Reply]) -> None:
        """Names are spelled with `_` for `.`."""
        self.sent: list[tuple[str, Sent]] = []
        self.choose: Callable[[str, Sent], Reply] | None = None
        self._hosts: dict[str, ScriptedUpstream] = {}
        for name, replies in script.items():
            some = replies if isinstance(replies, list) else [replies]
            self._hosts[name.replace("_", ".")] = _Host(self, name.replace("_", "."), *some)

    def elsewhere(self, *trusted: str) -> Elsewhere:
        return Elsewhere(self.at, trusted)

    def at(self, host: str) -> ScriptedUpstream:
        if host not in self._hosts:
            self._hosts[host] = _Host(self, host, Reply(404, body=[b"nothing here"]))
        return self._hosts[host]

    @property
    def visited(self) -> list[tuple[str, str, bytes, bytes]]:
        """Host, method, target and the token that was shown, of each request."""
        return [
            (host, sent.method, sent.target, b",".join(sent.values(b"authorization")))
            for host, sent in self.sent
        ]


class _Host(ScriptedUpstream):
    def __init__(self, hosts: ScriptedHosts, name: str, *script: Reply) -> None:
        super().__init__(*script)
        self._hosts = hosts
        self._name = name

    def _next(self, sent: Sent) -> Reply:
        assert sent.values(b"host") == [self._name.encode()]
        assert not sent.values(b"cookie")
        if self._name != API and not ZOOMS.fullmatch(self._name.encode()):
            assert not sent.values(b"authorization"), f"the token went to {self._name}"
        self._hosts.sent.append((self._name, sent))
        if self._hosts.choose is not None:
            return self._hosts.choose(self._name, sent)
        return super()._next(sent)
