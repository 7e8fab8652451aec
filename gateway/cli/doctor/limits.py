"""Whether the process may have as many connections open as it is to take."""

from collections.abc import AsyncIterator

from gateway import wiring
from gateway.cli.descriptors import raise_limit
from gateway.cli.doctor.case import Case
from gateway.cli.doctor.codes import Code
from gateway.cli.doctor.findings import Finding, Level
from gateway.core.limits import connections_within


async def limits(case: Case) -> AsyncIterator[Finding]:
    # As `serve` does: what counts is the hard limit.
    raise_limit()
    descriptors = wiring.descriptors()
    settings = case.settings.limits
    room = connections_within(descriptors, settings.calls)
    wanted = room if settings.connections == "auto" else settings.connections
    details = {"descriptors": descriptors, "connections": wanted, "calls": settings.calls}
    if wanted > room or room < settings.calls:
        yield Finding(
            Code.DESCRIPTORS_TOO_FEW,
            Level.WARNING,
            "limits.connections",
            f"A process may have {descriptors} files and connections open here, which is too few "
            f"for {max(wanted, settings.calls)} connections of callers and what {settings.calls} "
            "calls (limits.calls) need beside them.",
            f"Raise the hard limit (ulimit -Hn, LimitNOFILE= of systemd, --ulimit of a container), "
            f"or lower limits.connections to {room} and limits.calls to at most as many.",
            details,
        )
        return
    yield Finding(
        Code.LIMITS_OK,
        Level.OK,
        "limits.connections",
        f"There are file descriptors for {wanted} connections and {settings.calls} calls at once.",
        details=details,
    )
