"""Print docs/slots.md: the slot machine's rules and its diagram, from the table in the code."""

from gateway.core import slots

_NAMES = {phase: phase.name.capitalize() for phase in slots.Phase}


def page() -> str:
    """The page as Markdown, with a Mermaid state diagram."""
    rules = (slots.__doc__ or "").split("\n\n", 1)[1].rsplit("\n\n", 1)[0]
    lines = [f"    {name}: {phase.value}" for phase, name in _NAMES.items()]
    lines += ["    [*] --> Empty"]
    lines += [
        f"    {_NAMES[before]} --> {_NAMES[after]}: {event.name.lower()}"
        for (before, event), after in slots.TABLE.items()
    ]
    events = [f"| {event.name.lower()} | {event.value} |" for event in slots.Event]
    return "\n".join(
        [
            "# The slot machine",
            "",
            "Written by `make docs` from `gateway/core/slots.py`.",
            "",
            rules.strip(),
            "",
            "```mermaid",
            "stateDiagram-v2",
            *lines,
            "```",
            "",
            "| event | meaning |",
            "|---|---|",
            *events,
            "",
        ]
    )


if __name__ == "__main__":
    print(page(), end="")  # noqa: T201  a script that prints
