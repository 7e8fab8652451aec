"""Known secrets, in all the forms in which text may carry them."""

import base64
import html
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import quote, quote_plus

LEAST = 8
"""Characters of a secret that must not show, at its beginning or its end."""


def forms(secret: str) -> Iterator[str]:
    """The secret, parts of it, and what encoders make of it."""
    raw = secret.encode()
    yield from (secret, secret[:LEAST], secret[-LEAST:], secret[::-1], raw.hex())
    yield from (quote(secret, safe=""), quote(secret), quote_plus(secret), html.escape(secret))
    yield from (json.dumps(secret)[1:-1], repr(secret)[1:-1], repr(raw)[2:-1])
    for before in range(3):
        # In Base64, a secret looks different by what stands before it, as an id in a Basic header.
        coded = base64.b64encode(b"\0" * before + raw).decode()
        middle = coded[(before * 8 + 5) // 6 : (before + len(raw)) * 8 // 6]
        yield from (middle, middle.translate({ord("+"): "-", ord("/"): "_"}))


@dataclass
class Canaries:
    """Secrets by what they are, and what was said where."""

    secrets: dict[str, str] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)

    def hear(self, where: str, text: object) -> None:
        self.said[where] = f"{self.said.get(where, '')}\n{text}"

    def found(self) -> list[str]:
        """Where which of them shows, in whatever case."""
        wanted = {
            (name, form.lower()) for name, secret in self.secrets.items() for form in forms(secret)
        }
        return [
            f"{name} as {form!r} in {where}: ...{text[max(0, text.index(form) - 150) :][:300]}..."
            for where, text in ((where, text.lower()) for where, text in self.said.items())
            for name, form in sorted(wanted)
            if form in text
        ]

    def show_nowhere(self) -> None:
        found = self.found()
        assert not found, "\n".join(found)
