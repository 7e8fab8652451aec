"""What the status page shows, part by part, from the body of `/status.json`."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from gateway.core.status import mood, span
from gateway.web.rates_tree import rates
from gateway.web.timeline_tree import events, figures, timeline
from gateway.web.tree import Node, el, moment, number

Part = Mapping[str, Any]

TOTALS: Final = {
    "calls": "calls",
    "refusals": "refusals by Zoom",
    "recovered": "recovered by a replay",
    "passed_on": "refusals passed on",
    "mints": "tokens minted",
    "mint_failures": "mints failed",
    "foreign_mints": "tokens killed by others",
}
"""What the page calls each total, in this order."""

_WORDS: Final = {
    "ok": "Well",
    "degraded": "Needs attention",
    "unready": "Not ready",
    "failing": "Calls fail",
}
_GLYPHS: Final = {
    "ok": "M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20zm-1.6 14.6-4-4 1.5-1.5 2.5 2.5 5.7-5.7 1.5 1.5z",
    "degraded": "M12 2 1 21h22zm-1 7h2v6h-2zm0 8h2v2h-2z",
    "unready": "M8 2h8l6 6v8l-6 6H8l-6-6V8zm3 5v6h2V7zm0 8v2h2v-2z",
}
"""Each state has a shape of its own: colour alone tells nothing."""


def hero(status: Part) -> Node:
    """The one sentence, since when, and what to do."""
    found = status["headline"]
    look = mood(status)
    glyph = _GLYPHS.get(look, _GLYPHS["unready"])
    return el(
        "section",
        {"class": f"hero {look}", "aria-label": "state"},
        el("svg", {"viewBox": "0 0 24 24", "aria-hidden": "true"}, el("path", {"d": glyph})),
        el(
            "div",
            None,
            el("p", "word", _WORDS[look]),
            el("h1", None, status["sentence"]),
            _since(found["since"], status["at"]) if found and found["since"] else None,
            el("p", "advice", el("strong", None, "What to do: "), found["advice"])
            if found
            else None,
        ),
    )


def _since(began: str, now: str) -> Node:
    seconds = (datetime.fromisoformat(now) - datetime.fromisoformat(began)).total_seconds()
    return el("p", "since", "Since ", moment(began), f", {span(seconds)} ago.")


def account(one: Part, status: Part, number_: int) -> Node:
    """A card for an account."""
    first = status["headline"]
    shown = [
        found
        for found in one["diagnoses"]
        if not (first and first["account"] == one["name"] and _same(first, found))
    ]
    title = f"account-{number_}"
    return el(
        "section",
        {"class": f"card {one['state']}", "aria-labelledby": title},
        el(
            "div",
            "title",
            el("h2", {"id": title}, one["name"], " "),
            el("span", f"pill {one['state']}", one["state"]),
            _rotate(one) if "rotate" in status.get("actions", ()) else None,
        ),
        *(_diagnosis(found) for found in shown),
        _last_mint(one["last_mint"]),
        el("ul", {"class": "slots", "aria-label": "slots"}, *(slot(each) for each in one["slots"])),
        *_notes(one),
        *figures(one),
        *rates(one),
        timeline(one),
        events(one, f"events-{number_}"),
        _totals(one, status),
    )


def _same(first: Part, other: Part) -> bool:
    return all(first[key] == other[key] for key in ("code", "sentence"))


def _diagnosis(found: Part) -> Node:
    return el(
        "div",
        f"diagnosis {found['severity']}",
        el("p", None, el("span", "pill", found["severity"]), " ", found["sentence"]),
        el(
            "p",
            "advice",
            found["advice"],
            el("span", "since", " Since ", moment(found["since"]), ".") if found["since"] else None,
        ),
    )


def _last_mint(last: Part | None) -> Node | None:
    if last is None:
        return None
    return el(
        "p",
        "last",
        f"Token {last['generation']} is the newest: minted {span(last['age'])} ago in slot "
        f"{last['app']}/{last['index']} ({last['cause']}), by {last['minter']}.",
    )


def slot(one: Part) -> Node:
    """A slot and its token's life, from mint to expiry."""
    token, phase = one["token"], "out" if one["barred"] else one["phase"]
    if one["refused"]:
        phase = "refused"
    return el(
        "li",
        phase.replace(" ", "-"),
        el(
            "p",
            "slot",
            el("strong", None, f"{one['app']}/{one['index']}"),
            " ",
            el("span", "pill", phase),
            f" token {token['generation']}" if token else None,
        ),
        *(_life(one, token) if token else [el("p", "note", _empty(one))]),
    )


def _empty(one: Part) -> str:
    if one["retry_in"] is not None and not one["barred"]:
        return f"no token, next try in {span(one['retry_in'])}"
    return "no token"


def _life(one: Part, token: Part) -> list[Node]:
    spent = _percent(token["lifetime"] - token["expires_in"], token["lifetime"])
    rotates = one["rotates_in"]
    left = f"{span(token['expires_in'])} of {span(token['lifetime'])} left"
    marks: list[Node] = []
    if rotates is not None:
        at = _percent(token["lifetime"] - token["expires_in"] + rotates, token["lifetime"])
        marks.append(el("rect", {"class": "mark", "x": at, "width": "0.5", "height": "8"}))
        left += f", rotates in {span(rotates)}"
    label = f"{round(100 - spent)} % of its life left"
    return [
        el(
            "svg",
            {"viewBox": "0 0 100 8", "preserveAspectRatio": "none", "role": "img"}
            | {"class": "life", "aria-label": label},
            el("rect", {"class": "track", "width": "100", "height": "8"}),
            el(
                "rect", {"class": "left", "x": spent, "width": round(100 - spent, 1), "height": "8"}
            ),
            *marks,
        ),
        el(
            "p",
            "ends",
            el("span", None, "minted ", moment(token["minted"], short=True)),
            el("span", "turn", "rotates ", moment(one["rotates_at"], short=True))
            if one["rotates_at"]
            else None,
            el("span", None, "expires ", moment(token["expires"], short=True)),
        ),
        el(
            "p",
            "note",
            f"{left}. Minted by {token['minter']} ({token['cause']}); {_standing(one, token)}.",
        ),
    ]


def _standing(one: Part, token: Part) -> str:
    if one["refused"]:
        return "in use, though Zoom refuses it"
    return "accepted by Zoom" if token["accepted"] else "not seen accepted yet"


def _percent(part: float, whole: float) -> float:
    return round(100 * min(1.0, max(0.0, part / whole)), 1) if whole > 0 else 100.0


def _notes(one: Part) -> list[Node]:
    found: list[Node] = []
    if minting := one["minting"]:
        found.append(
            el(
                "p",
                "note",
                f"{minting['holder']} is minting in slot {minting['app']}/{minting['index']} "
                f"({minting['cause']}).",
            )
        )
    if one["holdoff"] and one["holdoff"]["remaining"]:
        pause = span(one["holdoff"]["remaining"])
        found.append(el("p", "note", f"Refusals cause no mint for another {pause}."))
    budget = one["budget"]
    if budget["left"] < budget["burst"]:
        left = f"{budget['left']} of {budget['burst']} mints left in the budget for refusals."
        found.append(el("p", "note", left))
    return found


def _totals(one: Part, status: Part) -> Node | None:
    named = {words: one["totals"][name] for name, words in TOTALS.items() if name in one["totals"]}
    if not named:
        return None
    whose, their = (
        ("all workers", "their") if status["replica"]["worker"] else ("this replica", "its")
    )
    return el(
        "details",
        None,
        el("summary", None, f"Totals of {whose} since {their} start"),
        el(
            "dl",
            "totals",
            *(
                el("div", None, el("dt", None, words), el("dd", None, number(value)))
                for words, value in named.items()
            ),
        ),
    )


def _rotate(one: Part) -> Node:
    slots = sum(not each["barred"] for each in one["slots"])
    cost = (
        "It goes into another slot: the token in use stays good for calls in flight."
        if slots > 1
        else "There is one slot, so it kills the token in use: calls in flight are refused by Zoom "
        "and sent again by the gateway, and a call whose body is too large to be kept fails."
    )
    return el(
        "button",
        {"type": "button", "data-rotate": one["name"], "data-cost": cost}
        | {"aria-label": f"Rotate now: mint a new token of {one['name']}"},
        "Rotate now…",
    )


def others(rest: list[Part]) -> Node | None:
    """Accounts that there is no room for."""
    if not rest:
        return None
    return el(
        "section",
        {"class": "card", "aria-labelledby": "others"},
        el("h2", {"id": "others"}, f"{len(rest)} more accounts"),
        el(
            "ul",
            "others",
            *(
                el("li", None, one["name"], " ", el("span", f"pill {one['state']}", one["state"]))
                for one in rest
            ),
        ),
    )


def fleet(status: Part) -> Node | None:
    """The replicas, as the store sees them."""
    replicas = status["fleet"]["replicas"]
    if len(replicas) < 2:  # noqa: PLR2004  one is no fleet
        return None
    heads = ("replica", "version", "address", "since", "last seen", "token")
    return el(
        "section",
        {"class": "card", "aria-labelledby": "fleet"},
        el("h2", {"id": "fleet"}, f"{len(replicas)} replicas"),
        el(
            "div",
            {"class": "scroll", "role": "region", "tabindex": "0", "aria-label": "replicas"},
            el(
                "table",
                None,
                el(
                    "thead",
                    None,
                    el("tr", None, *(el("th", {"scope": "col"}, head) for head in heads)),
                ),
                el("tbody", None, *(_replica(one) for one in replicas)),
            ),
        ),
    )


def _replica(one: Part) -> Node:
    several = len(one["generations"]) > 1
    tokens = ", ".join(
        f"{f'{name}: ' if several else ''}{generation or 'none'}"
        for name, generation in one["generations"].items()
    )
    return el(
        "tr",
        None,
        el(
            "th",
            {"scope": "row"},
            one["name"],
            el("small", None, " this one") if one["this"] else None,
        ),
        el("td", None, one["version"]),
        el("td", None, one["address"]),
        el("td", None, moment(one["since"])),
        el("td", None, f"{span(one['seen'])} ago"),
        el("td", None, tokens),
    )
