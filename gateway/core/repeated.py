"""Header fields that many calls share, all of them or all but a few values."""

from collections.abc import Iterable, Sequence
from typing import Final

Field = tuple[bytes, bytes]

Spot = tuple[int, int]
"""Where a value changes from call to call: the place of its field, and its number among those that
change.
"""

_END: Final = b"\r\n"


class Repeated(list[Field]):
    """Fields that many calls share; shows none of them. At `spots`, values are one call's."""

    __slots__ = ("_pieces", "encoded", "signed", "spots", "token")

    def __init__(self, fields: Iterable[Field], spots: tuple[Spot, ...] = ()) -> None:
        """`spots` in the order of their places."""
        super().__init__(fields)
        self.spots = spots
        self.encoded = b""
        """How they were written the last time, by who writes them."""
        self._pieces: list[bytes] = []
        self.token = ""
        self.signed: Repeated | None = None
        """The same with `token`, the last one that they went out with."""

    def __repr__(self) -> str:
        return f"<{len(self)} fields>"

    def varied(self, values: Sequence[bytes]) -> "Varied":
        """The same with the values of another call."""
        return Varied(self, values)

    def written(self, values: Sequence[bytes]) -> bytes:
        """`encoded` with these values, which end no line; it is made of lines `name: value`.

        What stands before the first line, and behind the last, stays.
        """
        pieces = self._pieces
        if not pieces:
            # The line of a field comes one end of a line later than its place says.
            lines = self.encoded.split(_END)
            begin = 0
            for place, _ in self.spots:
                name = self[place][0] + b": "
                pieces.append(_END.join([*lines[begin : place + 1], name]))
                lines[place + 1] = b""
                begin = place + 1
            pieces.append(_END.join(lines[begin:]))
        text = pieces[0]
        for number, (_, value) in enumerate(self.spots, 1):
            text += values[value] + pieces[number]
        return text


class Varied(list[Field]):
    """The fields of `base` with the `values` of one call; shows none of them."""

    __slots__ = ("base", "values")

    def __init__(self, base: Repeated, values: Sequence[bytes]) -> None:
        super().__init__(base)
        self.base = base
        self.values = values
        for place, number in base.spots:
            self[place] = self[place][0], values[number]

    def __repr__(self) -> str:
        return f"<{len(self)} fields>"
