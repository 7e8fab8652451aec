"""A running gateway's state in the terminal: what the status page says, in text."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from gateway.cli.posture_view import facts, limits
from gateway.core.pace_words import pace_facts
from gateway.core.posture import Mark
from gateway.core.rate_words import facts as rate_facts
from gateway.core.status import AccountState, mood, span, worst_first

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

BAR: Final = 24
"""Characters of a life bar."""

LANE: Final = 60
"""Characters of a lane of the timeline."""

EVENTS: Final = 8
"""The latest that are shown; `--json` has all that are kept."""

DETAILED: Final = 12
"""Accounts that are shown in full, the worst first; `--json` has all."""

PIPE_WIDTH: Final = 100
"""Columns where there is no terminal to ask."""

_STYLES: Final = {
    "ok": "green",
    "degraded": "yellow",
    "unready": "red",
    "failing": "red",
    "error": "red",
    "warning": "yellow",
    "notice": "dim",
}
_LANES: Final = ("calls", "recovered", "refusals", "passed_on", "mints", "mint_failures")
_ALWAYS: Final = ("calls", "refusals", "mints")
"""Lanes that are shown even if nothing happened."""

_BLOCKS: Final = ("░", "█", "x", "┃", "·▁▂▃▄▅▆▇█")
_PLAIN: Final = (".", "#", "x", "|", ".:-=+*%#@")
"""For a life what is spent, what is left, the same of a token that Zoom refuses, the rotation; for
a lane none to many."""


class View:
    """Prints to one console: coloured on a terminal, plain text in a pipe."""

    def __init__(self, console: "Console | None" = None) -> None:
        from rich.console import Console  # noqa: PLC0415  no other command pays for it

        if console is None:
            console = Console(highlight=False, emoji=False, markup=False)
        if not console.is_terminal:
            console = Console(
                highlight=False, emoji=False, markup=False, width=PIPE_WIDTH, color_system=None
            )
        self._console = console
        self._glyphs = _BLOCKS if console.encoding.startswith("utf") else _PLAIN

    def show(self, body: Mapping[str, Any]) -> None:
        """Print the body of `/status.json`; raises KeyError and the like if it is none."""
        body = printable(body)
        self._headline(body)
        accounts = worst_first(body["accounts"], _state)
        for account in accounts[:DETAILED]:
            self._account(account, body.get("headline"))
        self._others(accounts[DETAILED:])
        self._posture(body)
        # An older gateway does not tell.
        replicas = body.get("fleet", {}).get("replicas", [])
        if len(replicas) > 1:
            self._console.print()
            self._replicas(replicas)

    def _others(self, accounts: list[Mapping[str, Any]]) -> None:
        """Accounts that there is no room for."""
        if not accounts:
            return
        states = Counter(str(one["state"]) for one in accounts)
        counts = ", ".join(f"{count:,} {state}" for state, count in states.items())
        self._console.print()
        self._say(f"{len(accounts):,} more accounts: {counts}. --account NAME shows one.", "bold")

    def clear(self) -> None:
        self._console.clear()

    def _say(self, text: str, style: str = "", indent: int = 0) -> None:
        from rich.padding import Padding  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        self._console.print(Padding(Text(text, style), (0, 0, 0, indent), expand=False))

    def _headline(self, body: Mapping[str, Any]) -> None:
        from rich.text import Text  # noqa: PLC0415

        state = mood(body)
        self._console.print(Text.assemble((state, _style(state, bold=True)), " ", body["sentence"]))
        found = body.get("headline")
        if found:
            self._advise(found)
        replica = body["replica"]
        worker = f", worker {replica['worker']}" if replica.get("worker") else ""
        self._say(
            f"replica {replica['name']}{worker}, version {replica['version']}, process "
            f"{replica['pid']}, up for {span(replica['uptime'])}",
            "dim",
        )

    def _advise(self, found: Mapping[str, Any]) -> None:
        if found["since"]:
            self._say(f"Since {_moment(found['since'])}.", indent=2)
        self._say(found["advice"], "dim", 2)

    def _account(self, account: Mapping[str, Any], first: Mapping[str, Any] | None) -> None:
        from rich.text import Text  # noqa: PLC0415

        self._console.print()
        state = (account["state"], _style(account["state"]))
        self._console.print(Text.assemble((f"account {account['name']}: ", "bold"), state))
        for one in account["diagnoses"]:
            if first and first["account"] == account["name"] and _same(first, one):
                continue
            severity = (f"{one['severity']}: ", _style(one["severity"]))
            self._console.print(Text.assemble(severity, one["sentence"]))
            self._advise(one)
        if last := account.get("last_mint"):
            self._say(
                f"Token {last['generation']} was minted {span(last['age'])} ago in slot "
                f"{last['app']}/{last['index']} ({last['cause']}), by {last['minter']}."
            )
        for slot in account["slots"]:
            self._slot(slot)
        self._pace(account)
        self._rates(account)
        self._past(account)
        self._events(account.get("events", []))

    def _slot(self, slot: Mapping[str, Any]) -> None:
        phase, token = "out" if slot["barred"] else slot["phase"], slot["token"]
        name = f"{slot['app']}/{slot['index']}"
        if token is None:
            retry = slot["retry_in"]
            waits = retry is not None and not slot["barred"]
            self._say(f"{name}  {phase}{f', next try in {span(retry)}' if waits else ''}")
            return
        # An older gateway does not tell.
        if slot.get("refused"):
            self._say(f"{name}  {phase} {token['generation']}, but Zoom refuses it", "red")
        else:
            seen = "" if token["accepted"] else " (not seen accepted)"
            self._say(f"{name}  {phase} {token['generation']}{seen}")
        left = f"{span(token['expires_in'])} of {span(token['lifetime'])} left"
        if slot["rotates_in"] is not None:
            left += f", rotates in {span(slot['rotates_in'])}"
        self._say(f"{self.bar(slot)} {left}", indent=2)
        minted = f"minted {span(token['age'])} ago ({token['cause']}, by {token['minter']})"
        self._say(minted, "dim", 2)

    def bar(self, slot: Mapping[str, Any]) -> str:
        """A token's life, from its mint to its expiry, with its rotation."""
        token, (spent, good, bad, mark, _) = slot["token"], self._glyphs
        left = bad if slot.get("refused") else good
        life = token["lifetime"]
        now = _share(life - token["expires_in"], life)
        drawn = [spent] * round(BAR * now) + [left] * (BAR - round(BAR * now))
        if slot["rotates_in"] is not None:
            at = _share(life - token["expires_in"] + slot["rotates_in"], life)
            drawn[min(BAR - 1, round(BAR * at))] = mark
        return "".join(drawn)

    def _pace(self, account: Mapping[str, Any]) -> None:
        pace = account.get("pace")
        if pace is None:
            return
        times = "".join(
            f", {name} {_duration(pace[name])}" for name in ("p50", "p99") if pace[name] is not None
        )
        self._say(f"last minute: {pace['per_second']:.1f} calls a second{times}")

    def _rates(self, account: Mapping[str, Any]) -> None:
        # An older gateway does not tell.
        part = account.get("rate_limits")
        found = [] if part is None else list(rate_facts(part))
        for name, text, trouble, mark, who in (*found, *pace_facts(account.get("pacing", {}))):
            caused = f" (by {who})" if who else ""
            told = f"; {trouble}{caused}" if trouble else ""
            self._say(f"{name}: {text}{told}", _style(mark.value) if mark is not Mark.OK else "")

    def _past(self, account: Mapping[str, Any]) -> None:
        past = account.get("timeline")
        if past is None:
            return
        self._say(f"last {span(past['step'] * past['columns'])}, from then to now:")
        for name in _LANES:
            at = past["kinds"].index(name) + 1
            total = sum(row[at] for row in past["rows"])
            if total or name in _ALWAYS:
                words = name.replace("_", " ")
                self._say(f"{words:<13} {self.lane(past, at)} {total:,}", indent=0)

    def lane(self, past: Mapping[str, Any], at: int) -> str:
        """What happened over the time, in characters of growing height."""
        sums, wide = [0] * LANE, past["columns"] / LANE
        for row in past["rows"]:
            sums[LANE - 1 - min(LANE - 1, int(row[0] / wide))] += row[at]
        most, levels = max(sums), self._glyphs[4]
        top = len(levels) - 1
        return "".join(levels[-(-one * top // most) if one else 0] for one in sums)

    def _events(self, events: list[Mapping[str, Any]]) -> None:
        from rich.table import Table  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        if not events:
            return
        table = Table(box=None, pad_edge=False, show_header=False)
        table.add_column(no_wrap=True, style="dim")
        table.add_column()
        for one in events[:EVENTS]:
            times = f" ({one['count']:,} times)" if one["count"] > 1 else ""
            serious = one["level"] in {"warning", "error"}
            level = (f"{one['level']}: " if serious else "", _style(one["level"]))
            table.add_row(one["at"][11:19], Text.assemble(level, one["message"], times))
        self._console.print(table)

    def _posture(self, body: Mapping[str, Any]) -> None:
        # An older gateway does not tell.
        if "listener" not in body:
            return
        self._console.print()
        self._say("security and limits", "bold")
        for text, mark in facts(body):
            self._say(text, _style(mark.value) if mark is not Mark.OK else "")
        spent, left, *_ = self._glyphs
        for name, words, used, mark in limits(body):
            full = None if used is None else round(BAR * min(1.0, used))
            bar = f"{'':{BAR}}" if full is None else left * full + spent * (BAR - full)
            self._say(f"{name:<22} {bar} {words}", _style(mark.value))

    def _replicas(self, replicas: list[Mapping[str, Any]]) -> None:
        from rich.table import Table  # noqa: PLC0415

        table = Table(box=None, pad_edge=False, header_style="dim")
        for head in (f"{len(replicas)} replicas", "version", "address", "since", "seen", "token"):
            table.add_column(head, overflow="fold")
        for cells in map(_replica, replicas):
            table.add_row(*cells)
        self._console.print(table)


def _replica(one: Mapping[str, Any]) -> Iterator["RenderableType"]:
    yield f"{one['name']} (this one)" if one["this"] else one["name"]
    yield one["version"]
    yield one["address"]
    yield f"{_moment(one['since'])}"
    yield f"{span(one['seen'])} ago"
    yield ", ".join(
        f"{account} {generation or 'none'}" for account, generation in one["generations"].items()
    )


def _state(account: Mapping[str, Any]) -> str:
    """As we know it: another version may have others."""
    state = str(account["state"])
    return state if state in {*AccountState} else AccountState.OK


def _same(first: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Two slots may be out, each for a reason of its own."""
    return all(first[key] == other[key] for key in ("code", "sentence"))


def _style(word: str, *, bold: bool = False) -> str:
    return f"{'bold ' if bold else ''}{_STYLES.get(word, 'default')}"


def _moment(iso: str) -> str:
    return iso.replace("T", " ").replace("Z", " UTC")


def _duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{1000 * seconds:.0f} ms"


def _share(part: float, whole: float) -> float:
    return min(1.0, max(0.0, part / whole)) if whole > 0 else 1.0


def printable(value: Any) -> Any:
    """A gateway that is none must not steer the terminal."""
    if isinstance(value, str):
        return "".join(one if one.isprintable() else "?" for one in value)
    if isinstance(value, list):
        return [printable(one) for one in value]
    if isinstance(value, dict):
        return {name: printable(one) for name, one in value.items()}
    return value
