"""Who is connected: how many, from where, and who has been idle the longest."""

from collections import OrderedDict
from ipaddress import IPv6Address
from typing import Final, Protocol

from gateway.core.caller import Caller
from gateway.core.limits import Limits
from gateway.web.meters import Meters
from gateway.web.turns import Turns

_LOOKED_AT: Final = 8
"""Connections that may turn out to be busy after all, before none counts as idle."""

_NETWORK: Final = 64
"""Bits of an IPv6 address that are the host's own: a caller may have as many as it likes."""

Group = tuple[int, int] | None
"""Where a connection comes from, as far as that is counted; None: a Unix socket."""

_NOBODY: Final[dict["Member", None]] = {}


class Member(Protocol):
    """A connection, as the crowd sees it."""

    group: Group
    parked: bool
    """Whether it is on the list of those that are idle."""

    @property
    def idle(self) -> bool:
        """Whether no call is being received or answered."""

    def cut(self, *, reset: bool) -> None:
        """End it now."""


def group_of(caller: Caller) -> Group:
    """One IPv4 address, or one IPv6 network of 64 bits."""
    address = caller.address
    if address is None:
        return None
    if isinstance(address, IPv6Address):
        return 6, int(address) >> _NETWORK
    return 4, int(address)


class Crowd:
    """The connections of one server. `limits` may be replaced at any time."""

    def __init__(self, limits: Limits, meters: Meters) -> None:
        self.limits = limits
        self.meters = meters
        self.turns = Turns()
        self._groups: dict[Group, dict[Member, None]] = {}
        self._idle: OrderedDict[Member, None] = OrderedDict()
        """The one that has been idle the longest comes first."""

    def make_room(self, group: Group) -> str:
        """For one more connection, by ending one that is idle if need be.

        Gives the limit that does not allow it, `""` if it may come.
        """
        limits, meters = self.limits, self.meters
        most = limits.connections_per_caller
        if most and group is not None and len(self._groups.get(group, ())) >= most:
            meters.reached("connections_per_caller")
            if not self._end_idle_of(group):
                return "connections_per_caller"
        if meters.connections >= limits.connections:
            meters.reached("connections")
            if not self.end_idle():
                return "connections"
        return ""

    def end_idle(self) -> bool:
        """End the connection that has been idle the longest; tell whether there was one."""
        for _ in range(min(_LOOKED_AT, len(self._idle))):
            member, _ = self._idle.popitem(last=False)
            if member.idle:
                self._end(member)
                return True
            self._idle[member] = None
        return False

    def _end_idle_of(self, group: Group) -> bool:
        """The same among those of one group, which come in the order of their connecting."""
        for member in self._groups[group]:
            if member.parked and member.idle:
                self._end(member)
                return True
        return False

    def _end(self, member: Member) -> None:
        # It is lost a turn of the loop later, but the next may come now.
        self.leave(member)
        member.cut(reset=False)

    def enter(self, member: Member) -> None:
        """It is connected, or about to be. Idempotent."""
        group = self._groups.setdefault(member.group, {})
        if member not in group:
            group[member] = None
            self.meters.connections += 1

    def leave(self, member: Member) -> None:
        """It is gone. Idempotent."""
        self.busy(member)
        group = self._groups.get(member.group)
        if group is None or member not in group:
            return
        del group[member]
        self.meters.connections -= 1
        if not group:
            del self._groups[member.group]

    def park(self, member: Member) -> None:
        """It waits for a call from now on."""
        if not member.parked and member in self._groups.get(member.group, _NOBODY):
            member.parked = True
            self._idle[member] = None

    def busy(self, member: Member) -> None:
        """It waits no longer."""
        if member.parked:
            member.parked = False
            self._idle.pop(member, None)
