"""What a rule says of operations: paths with wildcards, and operations of Zoom's table by name."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Final, NamedTuple

from gateway.core.routes import Operation
from gateway.core.spelling import segments_of

ONE: Final = "*"
"""In a pattern: any segment that is not empty."""

REST: Final = "**"
"""At the end of a pattern: any number of segments, none included."""

TemplateKey = tuple[str, str]
"""Method and path template: one operation of the table."""

_PARAMETER: Final = re.compile(r"\{[^{}]+\}")
_LITERAL: Final = re.compile(r"[A-Za-z0-9_~@!$&'(),:=.+-]+")


class PatternError(ValueError):
    """An entry that is none; says what is wrong, to follow the entry's place."""


class Pattern(NamedTuple):
    """A path with wildcards; literals are in lower case in `folded`, as they are in `exact`.

    `template` is the table's path that it was written as, if it is one, as `nameless` gives it.
    """

    exact: tuple[str, ...]
    folded: tuple[str, ...]
    template: str | None = None


@dataclass(frozen=True, slots=True)
class Selection:
    """What the entries of a rule select."""

    operations: frozenset[TemplateKey]
    patterns: tuple[Pattern, ...]


class Catalogue:
    """The table, by the names under which rules know its operations."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        self._by_id: dict[str, set[TemplateKey]] = {}
        self._by_product: dict[str, set[TemplateKey]] = {}
        self._templates: dict[tuple[str, ...], str] = {}
        for one in operations:
            key = (one.method, one.path)
            self._by_id.setdefault(one.operation_id, set()).add(key)
            self._by_product.setdefault(one.product, set()).add(key)
            self._templates[shape_of(one.path)] = nameless(one.path)

    def knows(self, path: str) -> bool:
        """Whether an entry that is a path fits any of Zoom's operations."""
        steps = [_shaped(step).lower() for step in segments_of(path)]
        return any(meet(steps, [one.lower() for one in shape]) for shape in self._templates)

    def names(self) -> list[str]:
        """All that an entry without a slash may be, but for wildcards."""
        return [*self._by_id, *self._by_product]

    def select(self, entries: Iterable[str]) -> Selection:
        """Raises PatternError."""
        operations: set[TemplateKey] = set()
        patterns: list[Pattern] = []
        for entry in entries:
            if entry.startswith("/"):
                patterns.append(self._pattern(entry))
            else:
                operations |= self._named(entry)
        return Selection(frozenset(operations), tuple(patterns))

    def _named(self, entry: str) -> set[TemplateKey]:
        kind, colon, name = entry.partition(":")
        # An operation's id may hold a colon itself.
        if not colon or kind not in {"product", "operation"}:
            kind, name = "", entry
        found: set[TemplateKey] = set()
        kinds = []
        if kind != "operation" and name in self._by_product:
            found |= self._by_product[name]
            kinds.append("product")
        if kind != "product":
            ids = [one for one in self._by_id if _like(one, name)]
            found.update(*(self._by_id[one] for one in ids))
            kinds += ["operation"] * bool(ids)
        if len(kinds) > 1:
            raise PatternError(
                f"is both a product and an operation: say product:{name} or operation:{name}"
            )
        if not found:
            raise PatternError("names no operation and no product of Zoom's")
        return found

    def _pattern(self, entry: str) -> Pattern:
        steps = segments_of(entry)
        if any(
            not _is_step(step) for step in steps[:-1] + [one for one in steps[-1:] if one != REST]
        ):
            raise PatternError(
                "is no path: between slashes stands a word as Zoom has it, without any encoding,"
                " or a {parameter}, or *; ** may stand at the end"
            )
        exact = tuple(map(_shaped, steps))
        # A star takes what a parameter leaves to other templates.
        template = None if ONE in steps else self._templates.get(exact)
        return Pattern(exact, tuple(step.lower() for step in exact), template)


def shape_of(template: str) -> tuple[str, ...]:
    """The pattern of a path template."""
    return tuple(map(_shaped, segments_of(template)))


def nameless(template: str) -> str:
    """A path template without its parameters' names, in which two methods of a path may differ."""
    return f"/{'/'.join(shape_of(template))}"


def _shaped(step: str) -> str:
    return ONE if step.startswith("{") else step


def _is_step(step: str) -> bool:
    if step == ONE or _PARAMETER.fullmatch(step):
        return True
    return step not in {".", ".."} and _LITERAL.fullmatch(step) is not None


def _like(name: str, pattern: str) -> bool:
    if "*" not in pattern:
        return name == pattern
    return fnmatchcase(name, re.sub(r"[\[?]", "[\\g<0>]", pattern))


def covers(wide: Pattern, narrow: Pattern) -> bool:
    """Whether every path that fits `narrow` fits `wide`. False for some that do, never for others.

    A template fits less than its shape, as it leaves some paths to other templates.
    """
    if wide.template is not None and wide.template != narrow.template:
        return False
    return shape_covers(wide.exact, narrow.exact)


def shape_covers(wide: Sequence[str], narrow: Sequence[str]) -> bool:
    """Whether the path or pattern `narrow` lies within the pattern `wide`."""
    if wide[-1:] == (REST,):
        wide = wide[:-1]
        narrow = narrow[: len(wide)] if narrow[-1:] != (REST,) else narrow[:-1][: len(wide)]
    if len(wide) != len(narrow):
        return False
    return all(a in (ONE, b) and b != REST for a, b in zip(wide, narrow, strict=True))


def meet(left: Sequence[str], right: Sequence[str]) -> bool:
    """Whether some path fits both patterns."""
    for a, b in zip(left, right, strict=False):
        if REST in (a, b):
            return True
        if ONE not in (a, b) and a != b:
            return False
    return len(left) == len(right) or REST in (*left[len(right) :][:1], *right[len(left) :][:1])


@dataclass(slots=True)
class _Node:
    """A place in the tree of patterns; its children are one segment further."""

    literals: dict[str, "_Node"] = field(default_factory=dict)
    any: "_Node | None" = None
    ends: list[int] = field(default_factory=list)
    rests: list[int] = field(default_factory=list)


class PatternTree:
    """Patterns by number, found for a path without looking at each."""

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        self._patterns = patterns
        self._root = _Node()
        for number, pattern in enumerate(patterns):
            node = self._root
            for step in pattern.folded:
                if step == REST:
                    break
                if step == ONE:
                    node.any = node = node.any or _Node()
                else:
                    node = node.literals.setdefault(step, _Node())
            (node.rests if pattern.folded[-1:] == (REST,) else node.ends).append(number)

    def hits(self, folded: Sequence[str]) -> tuple[int, ...]:
        """The patterns that fit these segments, in lower case, whatever the case of literals.

        Each node is visited at most once, so that no path makes it slow.
        """
        found: list[int] = []
        nodes = [self._root]
        for segment in folded:
            further: list[_Node] = []
            for node in nodes:
                found += node.rests
                literal = node.literals.get(segment)
                if literal is not None:
                    further.append(literal)
                if node.any is not None and segment:
                    further.append(node.any)
            if not further:
                return tuple(found)
            nodes = further
        for node in nodes:
            found += node.rests
            found += node.ends
        return tuple(found)

    def exactly(self, hits: tuple[int, ...], segments: Sequence[str]) -> tuple[int, ...]:
        """Those of the hits that fit in the case of these segments, too."""
        kept = tuple(n for n in hits if _same_case(self._patterns[n].exact, segments))
        return hits if len(kept) == len(hits) else kept


def _same_case(exact: Sequence[str], segments: Sequence[str]) -> bool:
    # A pattern's own length is that of the path, or less by the rest.
    return all(step in (segment, ONE, REST) for step, segment in zip(exact, segments, strict=False))
