"""Who may call what: the rules, and what follows from them for a call.

A decision is about what Zoom may take the call for: every reading of the path, with and without
regard to the case of its literals, and every method that an unusual one may stand for. The call
goes on only if all of them are allowed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from gateway.core.caller import Caller
from gateway.core.caller_match import CallerMatch
from gateway.core.patterns import (
    Catalogue,
    PatternTree,
    Selection,
    TemplateKey,
    nameless,
    shape_of,
)
from gateway.core.routes import Operation, RouteTable
from gateway.core.shapes import Shape, Shapes
from gateway.core.spelling import is_plain, readings, segments_of, with_whole_uuids

DEFAULT: Final = "default"
"""The name of what decides where no rule fits."""

SPELLING: Final = "spelling"
"""The name of what refuses a path that can be read in too many ways."""

RESERVED: Final = frozenset({DEFAULT, SPELLING})
"""No rule has these names."""

REMEMBERED: Final = 4096
"""Decisions, callers and calls that are kept; when there are more, all are found anew."""

_SHORT: Final = 256
"""Bytes of a path up to which its decision is kept."""

_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
_READ: Final = {"HEAD": ("HEAD",)} | {method: (method,) for method in _METHODS}
_OPERATION_METHOD: Final = {"HEAD": "GET"}
"""Whose operations a method has, where they are not its own."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; a kind that is empty fits everything."""

    name: str
    allows: bool = True
    callers: CallerMatch = field(default_factory=CallerMatch)
    accounts: frozenset[str] = frozenset()
    methods: frozenset[str] = frozenset()
    """In capitals. GET includes HEAD."""
    operations: tuple[str, ...] = ()
    """As the configuration has them; `Catalogue.select` reads them."""
    real_token: bool = False
    """It is about the real token, and about no call: see `core.token_rights`."""

    def has_method(self, method: str) -> bool:
        return (
            not self.methods
            or method in self.methods
            or (method == "HEAD" and "GET" in self.methods)
        )


class Decision(NamedTuple):
    """`rule` names the rule that decided, or is DEFAULT or SPELLING."""

    allowed: bool
    rule: str


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """A rule, its operations read. `selection` None: they all fit."""

    rule: Rule
    selection: Selection | None
    patterns: frozenset[int]
    """The selection's, by their numbers in the policy's tree."""


class Sight(NamedTuple):
    """One reading of a call: what of the table and of the patterns it fits."""

    method: str
    template: str | None
    hits: tuple[int, ...]


class Group:
    """The rules that can be about the calls of some callers with an account."""

    def __init__(self, rules: tuple[CompiledRule, ...], default: Decision) -> None:
        self.rules = rules
        self._default = default
        self.needs_path = any(one.selection is not None for one in rules)
        self._decisions: dict[Sight, Decision] = {}

    def decide(self, sight: Sight) -> Decision:
        found = self._decisions.get(sight)
        if found is None:
            if len(self._decisions) >= REMEMBERED:
                self._decisions.clear()
            found = self._decisions[sight] = self._first(sight)
        return found

    def _first(self, sight: Sight) -> Decision:
        for one in self.rules:
            if one.rule.has_method(sight.method) and _selects(one, sight):
                return Decision(one.rule.allows, one.rule.name)
        return self._default


class Policy:
    """What the rules say, first fit first; where none fits, `default_allows`.

    Not for use by several threads at once.
    """

    def __init__(
        self,
        rules: Sequence[Rule],
        *,
        default_allows: bool,
        operations: Iterable[Operation],
        shapes: Shapes | None = None,
    ) -> None:
        """`shapes` are shared with others who decide about the same paths. Raises PatternError."""
        operations = tuple(operations)
        self._default = Decision(default_allows, DEFAULT)
        selections = _selections(rules, operations)
        patterns = list(dict.fromkeys(p for one in selections if one for p in one.patterns))
        self._patterns = patterns
        self._tree = PatternTree(patterns)
        numbers = {pattern: number for number, pattern in enumerate(patterns)}
        self.rules: tuple[CompiledRule, ...] = tuple(
            CompiledRule(
                rule,
                selection,
                frozenset(numbers[p] for p in selection.patterns) if selection else frozenset(),
            )
            for rule, selection in zip(rules, selections, strict=True)
        )
        self._exact = RouteTable(operations)
        self._folded = RouteTable(operations, folded=True)
        self._paths = {one.path.lower(): one.path for one in operations}
        self._written: dict[str, _Written] = {}
        self._nameless: dict[str, str] = {}
        """Both of the operations that were called: few of the table's ever are."""
        self._groups: dict[tuple[Caller, str | None, str], Group] = {}
        self._shared: dict[tuple[str, ...], Group] = {}
        self._shapes = shapes or Shapes()
        self._shapes.add(self._exact.words)
        self._shapes.add(step for pattern in patterns for step in pattern.exact)
        self._calls: dict[tuple[Group, str, Shape | bytes], Decision] = {}
        """By the shape of a path, which is all that its decision depends on, or, of one that is not
        plain, by the path."""

    @property
    def idle(self) -> bool:
        """Whether it allows everything to everybody, so that nobody need ask."""
        return self._default.allowed and not any(not one.rule.allows for one in self.rules)

    def decide(
        self, caller: Caller, key: str | None, account: str, method: str, path: bytes
    ) -> Decision:
        """`key` is the name of the key that was shown, `path` as it goes to Zoom, without query."""
        return self.decide_for(self.group(caller, key, account), method, path)

    def group(self, caller: Caller, key: str | None, account: str) -> Group:
        """What the rules have for such calls, whatever they are for."""
        return self._groups.get((caller, key, account)) or self._group(caller, key, account)

    def decide_for(self, group: Group, method: str, path: bytes) -> Decision:
        """What `decide` says of a call of this group."""
        about = self._shapes.of(path) or path
        known = self._calls.get((group, method, about))
        if known is not None:
            return known
        decision = self._decide(group, _READ.get(method) or (method, *_METHODS), path)
        if len(path) <= _SHORT:
            if len(self._calls) >= REMEMBERED:
                self._calls.clear()
            self._calls[group, method, about] = decision
        return decision

    def _decide(self, group: Group, methods: Sequence[str], path: bytes) -> Decision:
        if not group.needs_path:
            return _all_of(group, [Sight(one, None, ()) for one in methods])
        text = path.decode("latin-1")
        if is_plain(path):
            return _all_of(group, self._sights(methods, text))
        return self._decide_readings(group, methods, text)

    def _decide_readings(self, group: Group, methods: Sequence[str], path: str) -> Decision:
        whole_path = with_whole_uuids(path)
        split = readings(path)
        whole = split if whole_path is None else readings(whole_path)
        if split is None or whole is None:
            return Decision(False, SPELLING)
        sights = self._all_sights(methods, whole)
        decision = _all_of(group, sights)
        if whole_path is None or not decision.allowed:
            return decision
        # A UUID in pieces counts only where the pieces are something: an operation of the table
        # or a path of the rules that the call is not anyhow.
        known = {hit for sight in sights for hit in sight.hits}
        templates = self._templates(whole)
        for text in sorted(split):
            pieces = self._sights(methods, text)
            new = any(set(sight.hits) - known for sight in pieces)
            if new or self._templates([text]) - templates:
                hidden = _all_of(group, pieces)
                if not hidden.allowed:
                    return hidden
        return decision

    def _templates(self, texts: Iterable[str]) -> set[str | None]:
        """Those of any method that these readings fit, whatever the case."""
        return {
            self._folded.find(method, segments_of(text.lower()))
            for text in texts
            for method in _METHODS
        } | {None}

    def _all_sights(self, methods: Sequence[str], texts: Iterable[str]) -> list[Sight]:
        # Sorted, so that the log names the same rule for the same call.
        return [sight for text in sorted(texts) for sight in self._sights(methods, text)]

    def _sights(self, methods: Sequence[str], text: str) -> list[Sight]:
        """With regard to the case of literals, and, if that differs, without."""
        segments = segments_of(text)
        lowered = text.lower()
        folded = segments if lowered == text else segments_of(lowered)
        hits = self._tree.hits(folded)
        exact_hits = self._tree.exactly(hits, segments) if hits else hits
        sights = []
        for method in methods:
            found = self._folded.find(_OPERATION_METHOD.get(method, method), folded)
            written = None if found is None else self._as_written(found)
            template = None if written is None else written.template
            sights.append(self._sight(method, template, hits))
            fits = written is None or written.fits(segments)
            if not fits:
                template = self._exact.find(_OPERATION_METHOD.get(method, method), segments)
            if not fits or exact_hits is not hits:
                sights.append(self._sight(method, template, exact_hits))
        return sights

    def _as_written(self, folded: str) -> "_Written":
        found = self._written.get(folded)
        if found is None:
            found = self._written[folded] = _Written(self._paths[folded])
        return found

    def _sight(self, method: str, template: str | None, hits: tuple[int, ...]) -> Sight:
        """Templates in rules leave to other templates what is theirs."""
        if hits and template is not None:
            bare = self._nameless.get(template)
            if bare is None:
                bare = self._nameless[template] = nameless(template)
            own = (None, bare)
            hits = tuple(n for n in hits if self._patterns[n].template in own)
        return Sight(method, template, hits)

    def judges(self, rules: Iterable[str], operation: Operation) -> bool:
        """Whether an operation of the table is allowed where only the rules of these names fit."""
        names = frozenset(rules)
        folded = [step.lower() for step in shape_of(operation.path)]
        sight = self._sight(operation.method, operation.path, self._tree.hits(folded))
        for one in self.rules:
            fits = one.rule.name in names and one.rule.has_method(operation.method)
            if fits and _selects(one, sight):
                return one.rule.allows
        return self._default.allowed

    def may_call(self, caller: Caller, key: str | None, account: str | None) -> Decision:
        """Whether the caller may call anything at all; None: of any account."""
        for one in self.rules:
            rule = one.rule
            about_account = not rule.accounts or account is None or account in rule.accounts
            if not about_account or not rule.callers.fits(caller, key):
                continue
            if rule.allows:
                return Decision(True, rule.name)
            if not rule.methods and not rule.operations and (account or not rule.accounts):
                return Decision(False, rule.name)
        return self._default

    def _group(self, caller: Caller, key: str | None, account: str) -> Group:
        rules = []
        for one in self.rules:
            rule = one.rule
            if rule.accounts and account not in rule.accounts:
                continue
            if rule.callers.fits(caller, key):
                rules.append(one)
                if not rule.methods and not rule.operations:
                    break
        names = tuple(one.rule.name for one in rules)
        group = self._shared.get(names)
        if group is None:
            if len(self._shared) >= REMEMBERED:
                self._shared.clear()
            group = self._shared[names] = Group(tuple(rules), self._default)
        if len(self._groups) >= REMEMBERED:
            self._groups.clear()
        self._groups[caller, key, account] = group
        return group


class _Written:
    """A template as the table has it."""

    def __init__(self, template: str) -> None:
        self.template = template
        self._literals = [
            (place, step)
            for place, step in enumerate(segments_of(template))
            if not step.startswith("{")
        ]

    def fits(self, segments: Sequence[str]) -> bool:
        return all(segments[place] == step for place, step in self._literals)


def _selections(rules: Iterable[Rule], operations: Sequence[Operation]) -> list[Selection | None]:
    catalogue = Catalogue(operations)
    return [catalogue.select(rule.operations) if rule.operations else None for rule in rules]


def _selects(one: CompiledRule, sight: Sight) -> bool:
    if one.selection is None:
        return True
    key: TemplateKey = (_OPERATION_METHOD.get(sight.method, sight.method), sight.template or "")
    return key in one.selection.operations or not one.patterns.isdisjoint(sight.hits)


def _all_of(group: Group, sights: Sequence[Sight]) -> Decision:
    """The first denial, or else what the first sight is allowed by."""
    first = group.decide(sights[0])
    if not first.allowed:
        return first
    for sight in sights[1:]:
        decision = group.decide(sight)
        if not decision.allowed:
            return decision
    return first
