"""The environment's part of the configuration.

`ZOOM_GATEWAY_SECTION__KEY` can set every key. Names without `__` are not ours: Kubernetes
injects `ZOOM_GATEWAY_PORT=tcp://...` and the like for a Service of this name. Nor are those that
it injects for a Service `zoom-gateway--canary`: whoever made it must not keep us from starting.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from gateway.settings import schema
from gateway.settings.merge import Items, Tree

_HOST: Final = "_SERVICE_HOST"
_ADDRESS: Final = re.compile(r"(tcp|udp|sctp)://")
_OF_SERVICE: Final = re.compile(
    r"_SERVICE_HOST|_SERVICE_PORT(_[A-Z0-9]+)*|_PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?"
)
"""What follows a Service's name in the names of its variables."""


def path_of(name: str) -> tuple[str, ...]:
    """The path that a variable's name stands for."""
    return tuple(name.removeprefix(schema.PREFIX).lower().split(schema.DELIMITER))


def layers(environ: Mapping[str, str]) -> tuple[list[Tree], list[str]]:
    """What the variables set, as layers to be merged in this order, and the problems.

    The second layer has the keys of single items (`...__APPS__0__CLIENT_ID`): they change the
    list that the file or the first layer (`...__APPS=[...]`) has. An empty variable counts as
    unset.
    """
    ours = {n: v for n, v in environ.items() if n.startswith(schema.PREFIX) and "__" in n and v}
    problems = [
        problem for name in ours if (problem := _unknown(name)) and not _of_a_service(name, environ)
    ]
    keys = {name: key for name in ours if (key := schema.find(path_of(name)))}
    of_items = {name: ours[name] for name, key in keys.items() if schema.INDEX in key.path}
    whole = {name: ours[name] for name in keys if name not in of_items}
    return [_tree(whole), _by_place(_tree(of_items), ())], problems


def _tree(variables: Mapping[str, str]) -> Tree:
    """The nested mappings that the variables' names stand for."""
    made: Tree = {}
    # Sorted, so that the JSON of a whole comes before its parts, which then change it.
    for name in sorted(variables, key=str.lower):
        path = path_of(name)
        place: Any = made
        for step in path[:-1]:
            # What is no mapping stays, for the model to refuse.
            place = place.setdefault(step, {}) if isinstance(place, dict) else None
        if isinstance(place, dict):
            place[path[-1]] = _value(path, variables[name])
    return made


def _value(path: tuple[str, ...], text: str) -> Any:
    """A list or mapping in JSON; all else stays text, for the model to take or refuse.

    So an id of digits stays one, and what is no JSON is reported with its key's path.
    """
    key = schema.find(path)
    if key is None or not key.holds_several:
        return text
    try:
        decoded = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return decoded if isinstance(decoded, (list, dict)) else text


def _by_place(tree: Tree, path: tuple[str, ...]) -> Any:
    """The tree, its mappings of places made Items."""
    made = {
        step: _by_place(value, (*path, step)) if isinstance(value, dict) else value
        for step, value in tree.items()
    }
    if schema.children(path) == [schema.INDEX]:
        return Items({int(place): item for place, item in made.items()})
    return made


def _of_a_service(name: str, environ: Mapping[str, str]) -> bool:
    """Whether Kubernetes set it: only with all that it sets for each Service."""
    services = (host.removesuffix(_HOST) for host in environ if host.endswith(_HOST))
    return any(
        name.startswith(service)
        and _OF_SERVICE.fullmatch(name.removeprefix(service))
        and f"{service}_SERVICE_PORT" in environ
        and _ADDRESS.match(environ.get(f"{service}_PORT", ""))
        for service in services
    )


def _unknown(name: str) -> str | None:
    """The problem with a variable that names no key, or None."""
    path = path_of(name)
    for depth, step in enumerate(path):
        before, known = path[:depth], schema.children(path[:depth])
        if schema.find(path[: depth + 1]):
            continue
        guess = schema.nearest(step, known)
        if guess:
            meant = schema.variable((*before, guess, *path[depth + 1 :]))
            return f"{name}: names no key: did you mean {meant}?"
        if not known:
            return f"{name}: names no key: {schema.variable(before)} has nothing below it"
        names = ", ".join(schema.variable((*before, child)) for child in known)
        return f"{name}: names no key: known here are {names}"
    return None
