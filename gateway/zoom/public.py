"""Names that stand for machines on the public Internet alone."""

from collections.abc import Callable

from gateway.core.public import is_public
from gateway.zoom.names import Addresses, Names


class PublicNames(Names):
    """Gives what others find, and refuses what is not public.

    What it gives is connected to as it is, so no second lookup can give something else.
    """

    def __init__(self, names: Names, exempt: Callable[[str], bool]) -> None:
        """`exempt` says whose addresses the operator answers for."""
        super().__init__()
        self._names = names
        self._exempt = exempt

    async def addresses(self, host: str, port: int) -> Addresses:
        """See `Names.addresses`."""
        found = await self._names.addresses(host, port)
        if not self._exempt(host):
            for *_, where in found:
                if not is_public(str(where[0])):
                    raise OSError(f"it stands for {where[0]} here, which is no public address")
        return found
