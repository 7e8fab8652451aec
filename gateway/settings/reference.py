"""Makes docs/configuration.md from the model.

`python -m gateway.settings.reference > docs/configuration.md`
"""

import sys
from collections.abc import Iterator
from typing import Final

from pydantic.fields import FieldInfo

from gateway.settings import schema, shorthand, words

_INTRO: Final = """\
# Configuration

<!-- Made by `python -m gateway.settings.reference`: change the model, not this page. -->

One YAML file (`zoom-gateway serve --config FILE`), every key of which can also be set in the
environment. `zoom-gateway check --config FILE` says what is wrong with it, all at once.
[`config/gateway.yaml`](../config/gateway.yaml) shows every key with its default.

## The shortest one

Three variables are a complete configuration, without a file:

```sh
export ZOOM_ACCOUNT_ID=... ZOOM_CLIENT_ID=... ZOOM_CLIENT_SECRET=...
zoom-gateway serve
```

They stand for the account `default` and its app `default`. `ZOOM_CLIENT_SECRET_FILE` names a
file instead of the secret itself.

## What beats what

From the strongest to the weakest:

1. `ZOOM_GATEWAY_SECTION__KEY` in the environment;
2. the file;
3. `ZOOM_ACCOUNT_ID`, `ZOOM_CLIENT_ID`, `ZOOM_CLIENT_SECRET`, `ZOOM_CLIENT_SECRET_FILE`: they
   fill what is unset of the account `default` and its app `default`. Beside other accounts they
   make that account only if they are complete; to apps that are configured they never add one;
4. the default.

- The name of a variable is the key's path with `__` between its steps. `NAME` stands for the
  name of an account (or of a caller's key), `N` for a place in the list of apps (or of rules),
  counted from 0.
- A list or a mapping in a variable is JSON:
  `ZOOM_GATEWAY_ACCOUNTS__DEFAULT__APPS='[{"client_id": "...", "client_secret_file": "..."}]'`
  replaces the file's list, `ZOOM_GATEWAY_ACCOUNTS__DEFAULT__APPS__0__TOKEN_INDEXES='[0, 1]'`
  changes one key of its first app.
- A key without a value, and an empty variable, count as unset.
- A key that does not exist is refused, and so is a `ZOOM_GATEWAY_` variable with `__` in it
  that names none. Variables without `__` are not looked at: Kubernetes injects
  `ZOOM_GATEWAY_PORT` and the like for a Service of this name.

## Secrets

Each secret is either a value or a file:

- `client_secret` in the file or the environment. No log, metric, page or error shows it.
- `client_secret_file`: the path of a file, as Docker and Kubernetes mount secrets. Whitespace
  around its content, such as the newline at its end, does not count. It is read again for each
  new token, so a secret that is rotated on disk is used without a restart.

The passwords of the store and the keys of callers ([access](access.md)) have the same two forms.
The store's encryption keys are files alone, and so is what a collector of spans asks for
(`tracing.headers_file`).

While a secret is rotated, Zoom takes the old and the new one for up to 30 days: put the old one
into `previous_client_secret` or `previous_client_secret_file`.

## Examples

Behind a name of its own, for every caller in a container network:

```yaml
listen: {host: 0.0.0.0}
admin: {host: 0.0.0.0}
accounts:
  default:
    account_id: AbCdEfGhIjKlMnOpQrStUv
    apps:
      - client_id: AbCdEfGhIjKlMnOpQrStUv
        client_secret_file: /run/secrets/zoom_client_secret
```

Two accounts, selected by the base URL `http://gateway:8080/@sales/v2`:

```yaml
accounts:
  default:
    account_id: AbCdEfGhIjKlMnOpQrStUv
    apps: [{client_id: AbCdEfGhIjKlMnOpQrStUv, client_secret_file: /run/secrets/zoom}]
  sales:
    account_id: VuTsRqPoNmLkJiHgFeDcBa
    apps: [{client_id: VuTsRqPoNmLkJiHgFeDcBa, client_secret_file: /run/secrets/zoom_sales}]
```

A fleet, whose replicas share the tokens through a Redis that never sees one in clear:

```yaml
store:
  url: rediss://zoom-gateway@redis.example.com:6379/0
  password_file: /run/secrets/redis_password
  ca_file: /run/secrets/redis_ca.pem
  encryption_key_file: /run/secrets/store_key
accounts:
  default:
    account_id: AbCdEfGhIjKlMnOpQrStUv
    apps: [{client_id: AbCdEfGhIjKlMnOpQrStUv, client_secret_file: /run/secrets/zoom}]
```

More: [`config/two-slots.yaml`](../config/two-slots.yaml) (a token in reserve),
[`config/demo.yaml`](../config/demo.yaml) (against the simulator).

## All keys
"""

_HEAD: Final = """
| key | environment variable | type | default | meaning |
|---|---|---|---|---|
"""


def reference() -> str:
    """The whole page, in Markdown."""
    return "".join([_INTRO, *_sections()])


def _sections() -> Iterator[str]:
    for key in schema.all_keys():
        if key.section is None and key.field is not None:
            yield _row(key, key.field)
        elif key.section is not None and not _is_list_or_mapping(key):
            yield f"\n### `{schema.dotted(key.path)}`\n\n{words.about(key.section)}\n{_HEAD}"


def _is_list_or_mapping(key: schema.Key) -> bool:
    # Its items come next, under a heading of their own.
    return schema.children(key.path) in ([schema.NAME], [schema.INDEX])


def _row(key: schema.Key, field: FieldInfo) -> str:
    default = words.default(field)
    # As YAML has it, not Python.
    default = str(default).lower() if isinstance(default, bool) else default
    shown = "" if default is None else f"`{default}`"
    cells = (
        f"`{schema.dotted(key.path)}`",
        "<br>".join(f"`{name}`" for name in _variables(key.path)),
        str(key.words),
        "required" if field.is_required() else shown,
        str(field.description),
    )
    return f"| {' | '.join(cells)} |\n"


def _variables(path: tuple[str, ...]) -> Iterator[str]:
    yield schema.variable(path)
    example = {schema.NAME: shorthand.DEFAULT, schema.INDEX: "0"}
    short = shorthand.variable_of(tuple(example.get(step, step) for step in path))
    if short:
        yield short


if __name__ == "__main__":
    sys.stdout.write(reference())
