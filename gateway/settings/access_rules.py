"""Who may call what: rules, and the keys that callers show."""

import re
from pathlib import Path
from typing import Annotated, Final, Literal

from gateway.core.caller_match import UNIX, CallerMatch, name_pattern, network
from gateway.core.errors import ConfigurationError
from gateway.core.keys import SHORTEST
from gateway.core.policy import RESERVED
from gateway.core.routes import METHODS
from gateway.core.secret import Secret
from gateway.core.token_rights import fits_anybody
from gateway.models import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator
from gateway.settings.kinds import FIELD_NAME, NAME, AccountName, Kind, Switch
from gateway.settings.secrets import (
    SecretFile,
    SecretText,
    at_least_one,
    at_most_one,
    current_secret,
    read_secret,
)
from gateway.settings.section import Section

_KEY: Final = re.compile(r"[!-~]+")
_RULE_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")

TAKEN: Final = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "expect", "x-request-id"}
    | {"x-zoom-account", "content-type", "traceparent", "tracestate", "cookie"}
)
"""Header fields that mean something else, and so carry no key."""


def _named(values: tuple[str, ...]) -> tuple[str, ...]:
    if not values:
        raise ValueError("names nothing, and so nobody: leave the key out, or name something")
    return values


def _networks(values: tuple[str, ...]) -> tuple[str, ...]:
    for place, text in enumerate(values, 1):
        if text != UNIX:
            try:
                network(text)
            except ValueError as error:
                raise ValueError(f"item {place} {error}") from None
    return values


def _certificates(values: tuple[str, ...]) -> tuple[str, ...]:
    for place, text in enumerate(values, 1):
        try:
            name_pattern(text)
        except ValueError as error:
            raise ValueError(f"item {place} {error}") from None
    return values


def _methods(values: tuple[str, ...]) -> tuple[str, ...]:
    upper = tuple(value.upper() for value in values)
    for place, method in enumerate(upper, 1):
        if method not in METHODS:
            raise ValueError(f"item {place} is none of {', '.join(sorted(METHODS))}")
    return upper


def _rule_name(text: str) -> str:
    if not _RULE_NAME.fullmatch(text):
        raise ValueError(
            "must be 1 to 63 letters, digits, _, - and ., beginning with a letter or digit"
        )
    if text in RESERVED:
        raise ValueError(f"is reserved: logs have {' and '.join(sorted(RESERVED))} for themselves")
    return text


def _key_name(text: str) -> str:
    if not NAME.fullmatch(text):
        raise ValueError(
            "a key's name has 1 to 63 of a-z, 0-9, _ and -, and begins with a letter or digit"
        )
    return text


def _key_header(text: str) -> str:
    if not FIELD_NAME.fullmatch(text) or text.lower() in TAKEN:
        raise ValueError("must be the name of a header field that has no other meaning here")
    return text


def _strong(secret: Secret) -> Secret:
    text = secret.reveal()
    if not _KEY.fullmatch(text):
        raise ValueError("must be printable ASCII without spaces: it stands in a header field")
    if len(text) < SHORTEST:
        raise ValueError(
            f"is too short: take at least {SHORTEST} random characters, as openssl rand -hex 24"
            " makes them"
        )
    return secret


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


Action = Annotated[Literal["allow", "deny"], BeforeValidator(_lower), Kind("allow or deny")]
KeyHeader = Annotated[str, AfterValidator(_key_header), Kind("the name of a header field")]
KeyName = Annotated[str, AfterValidator(_key_name)]
RuleName = Annotated[str, AfterValidator(_rule_name), Kind("a name")]
Names = Annotated[tuple[str, ...], AfterValidator(_named)]
Networks = Annotated[
    Names,
    AfterValidator(_networks),
    Kind("a list of networks, such as [10.0.0.0/8, 192.0.2.7, unix]"),
]
Certificates = Annotated[
    Names,
    AfterValidator(_certificates),
    Kind("a list of names in certificates, such as [spiffe://cluster.local/ns/reports/*]"),
]
KeyNames = Annotated[Names, Kind("a list of names in access.keys, such as [reports]")]
AccountNames = Annotated[
    tuple[AccountName, ...],
    AfterValidator(_named),
    Kind("a list of names in accounts, such as [default]"),
]
Methods = Annotated[Names, AfterValidator(_methods), Kind("a list of methods, such as [GET]")]
Operations = Annotated[
    Names, Kind("a list of paths and operations, such as [/v2/users/**, meetingCreate]")
]


class AccessKey(Section):
    """A key that callers show in `access.key_header`, under the name that rules have for it."""

    key: SecretText | None = Field(
        default=None,
        description=f"The key, at least {SHORTEST} characters. Either this or `key_file`.",
    )
    key_file: SecretFile | None = Field(
        default=None,
        description="A file that holds the key. It is read again within 10 seconds of a change.",
    )

    _one_key = field_validator("key_file")(at_least_one)
    _only_one_key = field_validator("key_file")(at_most_one)

    @field_validator("key")
    @classmethod
    def _key_is_strong(cls, key: Secret | None) -> Secret | None:
        return None if key is None else _strong(key)

    @field_validator("key_file")
    @classmethod
    def _content_is_strong(cls, path: Path | None) -> Path | None:
        if path is not None:
            _strong(read_secret(path))
        return path

    def current(self) -> Secret:
        """The key as it is now: a file is read afresh. Raises ConfigurationError."""
        try:
            found = current_secret(self, "key")
            if found is None:  # not after a successful validation
                raise ValueError("there is no key")  # noqa: TRY301  one place turns it around
            return _strong(found)
        except ValueError as error:
            raise ConfigurationError([str(error)]) from None


class CallerSettings(Section):
    """Whom the rule is about. What is not given fits everybody."""

    networks: Networks | None = Field(
        default=None,
        description="Networks and addresses that the call comes from, as the connection tells;"
        " `unix` stands for the Unix socket. No header is believed.",
    )
    certificates: Certificates | None = Field(
        default=None,
        description="Names (SANs) in the client certificate: `spiffe://DOMAIN/PATH`, `dns:NAME`,"
        " `email:ADDRESS`, `ip:ADDRESS`, `uri:URI`. `*` stands for all that follows the last `/`"
        " of a URI, the first label of a DNS name, or what precedes the `@`.",
    )
    keys: KeyNames | None = Field(
        default=None, description="Keys that the caller shows, by their names in `access.keys`."
    )

    def match(self) -> CallerMatch:
        """The same for the rules' own code."""
        networks = self.networks or ()
        return CallerMatch(
            tuple(network(text) for text in networks if text != UNIX),
            UNIX in networks,
            tuple(map(name_pattern, self.certificates or ())),
            frozenset(self.keys or ()),
        )


class AccessRule(Section):
    """One rule. Of the kinds that are given all must fit, each by one of its entries.

    The first rule that fits a call decides about it.
    """

    name: RuleName = Field(
        description="The rule's name, for logs and `zoom-gateway check`; different for each rule."
    )
    action: Action = Field(default="allow", description="What becomes of the calls that it fits.")
    accounts: AccountNames | None = Field(
        default=None, description="Accounts that are called, by their names here."
    )
    methods: Methods | None = Field(
        default=None, description="HTTP methods. `GET` includes `HEAD`."
    )
    operations: Operations | None = Field(
        default=None,
        description="What is called: paths (`/v2/users/{userId}`; `*` for one segment, `**` at the"
        " end for any number), operations by their id in Zoom's reference (`meetingCreate`, with"
        " `*` for any letters), or products (`meetings`). Say `product:meetings` or"
        " `operation:meetings` where a name is both.",
    )
    callers: CallerSettings = CallerSettings()
    real_token: Switch = Field(
        default=False,
        description="Makes this a rule about the real token alone, not about calls: with"
        " `oauth.real_token`, the callers that it fits get it from the emulated token endpoint. It"
        " allows, names `callers`, and has no `methods` or `operations`.",
    )

    @field_validator("real_token")
    @classmethod
    def _names_callers(cls, real: bool, info: ValidationInfo) -> bool:  # noqa: FBT001  the library's way
        if not real:
            return real
        if info.data.get("action") == "deny":
            raise ValueError("only allows: who is not named gets no real token")
        if info.data.get("methods") or info.data.get("operations"):
            raise ValueError("is about no call: take methods and operations out of this rule")
        callers: CallerSettings | None = info.data.get("callers")
        if callers is not None and fits_anybody(callers.match()):
            raise ValueError(
                "would give the token to anybody: name callers by keys, by certificates or by"
                " networks that are not all addresses"
            )
        return real


def _different(keys: dict[str, AccessKey]) -> dict[str, AccessKey]:
    """No two are the same: nobody could tell whose it is."""
    names: dict[Secret, str] = {}
    for name, one in keys.items():
        place = f"{name}.key" if one.key_file is None else f"{name}.key_file"
        try:
            secret = one.current()
        except ConfigurationError as error:
            raise ValueError(f"{place}: {error.problems[0]}") from None
        if secret in names:
            raise ValueError(f"{place} is the same key as that of {names[secret]}: it must differ")
        names[secret] = name
    return keys


KeySettings = Annotated[
    dict[KeyName, AccessKey], AfterValidator(_different), Kind("a mapping of names to keys")
]
RuleSettings = Annotated[tuple[AccessRule, ...], Kind("a list of rules")]
