"""What differs between two configurations, and what of it needs no restart."""

from dataclasses import dataclass
from typing import Any, Final

from gateway.settings.model import Settings
from gateway.settings.section import Section

_FIXED: Final = ("listen", "admin")
"""Sections that only a restart applies: the addresses are bound once."""

_LIVE: Final = frozenset({"allow_actions"})
"""Their keys that need none: what was allowed can be forbidden at once."""

_APART: Final = frozenset({"lease", "on_outage"})
"""Keys of the store's section that are the token manager's, not the store's own."""


@dataclass(frozen=True, slots=True)
class Changes:
    """Names as an operator knows them: `token`, `accounts.sales`, `listen.port`."""

    applied: tuple[str, ...]
    """Sections and accounts, in the order of the configuration."""
    ignored: tuple[str, ...]
    """Keys that only a restart applies."""


def changes(old: Settings, new: Settings) -> Changes:
    """What differs; never a value."""
    fixed_sections = (*_FIXED, *(("tls",) if _switched(old, new) else ()))
    names = [name for name in Settings.model_fields if name not in {"accounts", *fixed_sections}]
    sections = [
        *(
            name
            for name in _FIXED
            if _LIVE & set(_differing(getattr(old, name), getattr(new, name)))
        ),
        *(name for name in names if getattr(old, name) != getattr(new, name)),
    ]
    accounts = [
        f"accounts.{name}"
        for name in dict.fromkeys((*old.accounts, *new.accounts))
        if old.accounts.get(name) != new.accounts.get(name)
    ]
    fixed = [
        f"{section}.{key}"
        for section in fixed_sections
        for key in _differing(getattr(old, section), getattr(new, section))
        if key not in _LIVE
    ]
    return Changes((*sections, *accounts), tuple(fixed))


def applicable(old: Settings, new: Settings) -> Settings:
    """The new configuration, with what only a restart applies as it was."""
    kept = {name: _kept(getattr(old, name), getattr(new, name)) for name in _FIXED}
    return new.model_copy(update={**kept, **({"tls": old.tls} if _switched(old, new) else {})})


def _switched(old: Settings, new: Settings) -> bool:
    """Whether TLS for callers was switched on or off: they would not know what to speak.

    While it is on, all of it but that needs no restart.
    """
    return old.tls.on != new.tls.on


def _kept(old: Section, new: Section) -> Section:
    live = _LIVE & type(old).model_fields.keys()
    return old.model_copy(update={key: getattr(new, key) for key in live})


def same_store(old: Settings, new: Settings) -> bool:
    """Whether the tokens lie in the same place, reached in the same way."""
    return not set(_differing(old.store, new.store)) - _APART


def _differing(old: Section, new: Section) -> list[str]:
    def of(section: Section, key: str) -> Any:
        return getattr(section, key)

    return [key for key in type(old).model_fields if of(old, key) != of(new, key)]
