"""Loaded by a Python that finds it on its path: host names as FAKE_NAMES has them.

A list of addresses, a number of seconds after which 127.0.0.1 is given, or the name of an error
of getaddrinfo (`EAI_NONAME`). Tests can change neither /etc/hosts nor the name servers. Under
`clock` are the seconds by which this process' clock is ahead.
"""

import json
import os
import socket
import time
from typing import Any

_KNOWN = json.loads(os.environ.pop("FAKE_NAMES", "{}"))
_real = socket.getaddrinfo


def _faked(host: Any, port: Any, *args: Any, **options: Any) -> list[Any]:
    told = _KNOWN.get(host)
    if told is None:
        return _real(host, port, *args, **options)
    if isinstance(told, str):
        raise socket.gaierror(getattr(socket, told), "as the test says")
    if not isinstance(told, list):
        time.sleep(told)
        told = ["127.0.0.1"]
    return [entry for address in told for entry in _real(address, port, *args, **options)]


socket.getaddrinfo = _faked

_AHEAD = _KNOWN.get("clock", 0)
_right = time.time
time.time = lambda: _right() + _AHEAD
