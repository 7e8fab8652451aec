"""The listener's constants, each with its precedent. Sizes in bytes, times in seconds.

What an operator may set is in `gateway.core.limits`.
"""

from typing import Final

from gateway.core.target import MAX_TARGET

MAX_LINE: Final = MAX_TARGET + 64
"""What the parser takes: the target and, in the parser without C, method and version around
it. `MAX_TARGET` itself is checked afterwards."""

MAX_FIELD: Final = 16 * 1024
"""One header field. nginx takes 8 KiB, Node 16 KiB: bearer JWTs of callers are long."""

READ_BUFFER: Final = 64 * 1024
"""Bytes of a body that wait for us per connection before its reading pauses (at twice it)."""

WRITE_BUFFER: Final = 64 * 1024
"""Bytes of an answer that wait for the caller before no more of it is written."""

UNSENT: Final = 128 * 1024
"""Bytes of an answer that the kernel holds beside those that are under way to the caller. More
is no faster: the gateway is told as soon as there is room."""

LINGER: Final = 10.0
"""How long the rest of a body is read and dropped after an early answer, so that a reset
does not destroy the answer on its way. nginx: lingering_time 30, aiohttp 10."""

LINGER_BROKEN: Final = 2.0
"""The same where the framing is in doubt and the connection ends anyway. Apache: 2."""

PEEK: Final = 2.0
"""How long judging a 400 or 401 waits for its body: a real one comes with the head, and callers
give up after 15."""

BACKLOG: Final = 1024
"""Connections that wait to be accepted. nginx: 511; the kernel caps it at somaxconn (4096)."""

STUB_BODY: Final = 64 * 1024
"""Body of a call to the emulated token endpoint; real ones are a few hundred bytes."""

MAX_SENDINGS: Final = 3
"""How often one call is sent: a third time only if the second refusal was the token's fault,
too."""

BACKGROUND: Final = 64
"""Refusals of calls that cannot be sent again, reported to the token manager behind their
callers' backs. More at once would tell it nothing new."""

ACCEPTED: Final = 64
"""Connections that are taken at once, at most, before those that are there have their turn."""

ACCEPTED_ANYWAY: Final = 2
"""Connections that are taken in a turn, however short it is. A new one costs some ten times what a
call does on one that is there, nearly all of it in later turns, where calls would wait for it."""

ACCEPTED_RATE: Final = 200.0
"""Connections a second that are taken besides, however long turns are: who calls a busy gateway
for the first time must not wait until it is idle."""

ACCEPT_PAUSE: Final = 0.2
"""How long none is taken when there is no file descriptor for it; they wait in the kernel."""

FAREWELL: Final = 1.0
"""How long the socket of a connection that was refused is kept, so that its answer is read."""

FAREWELLS: Final = 64
"""How many of them at once: they take descriptors, too."""

HANDSHAKE: Final = 10.0
"""From a connection's beginning to the end of its TLS handshake: some round trips, and a client
that has not enough time for them within this has none for its call. nginx waits 60, HAProxy's
usual 10."""

HANDSHAKES: Final = 1024
"""Handshakes under way at once; one more ends the oldest, which is the likeliest to be nobody's."""

TLS_FAREWELL: Final = 5.0
"""How long the caller's own end of TLS is waited for after ours (asyncio: 30)."""
