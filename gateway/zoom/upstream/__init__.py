"""The way to the API: an HTTP/1.1 client that changes no byte of a call.

::

    hosts       HostUpstreams: Zoom's other hosts, a transport for each
    transport   HttpUpstream: one call after the other, stale connections, the way out
    ├── head        the request's head as bytes, and how its body is framed
    ├── dial        names, addresses, TCP and TLS
    │   └── tunnel      CONNECT, where a proxy is on the way
    ├── pool        which connections are idle, which in use
    ├── sender      the request's body, sent while the answer comes in
    ├── answer      what the caller holds
    └── connection  one socket: waiting, back pressure in both directions, silence
        └── reader      the answer's bytes: a parser without any I/O

It stands in for aiohttp's client because that one rebuilds the target from a URL object
(a lone `?` is lost, `%2F` may be re-encoded) and adds headers of its own.
"""

from gateway.zoom.upstream.transport import HttpUpstream

__all__ = ["HttpUpstream"]
