"""Whose tokens an account's slots hold, and with which credentials they are minted."""

import hashlib

from gateway.core.errors import ConfigurationError
from gateway.core.token import SlotId
from gateway.settings import AccountSettings, Settings


def identities(account: AccountSettings) -> dict[SlotId, str]:
    """The account's slots; each with a fingerprint of whose token it holds."""
    return {
        SlotId(app.name, index): hashlib.sha256(
            f"{account.account_id}\n{app.client_id}".encode()
        ).hexdigest()[:16]
        for app in account.apps
        for index in app.token_indexes
    }


def slots(settings: Settings) -> dict[str, list[SlotId]]:
    """The slots of every account, by its name."""
    return {name: list(identities(account)) for name, account in settings.accounts.items()}


def credentials_print(account: AccountSettings) -> str:
    """A fingerprint that changes with the credentials; one for files that cannot be read, too."""
    digest = hashlib.sha256()
    for app in account.apps:
        try:
            known = app.credentials()
        except ConfigurationError as problem:
            digest.update(repr(problem.problems).encode())
            continue
        previous = known.previous_client_secret
        for part in (known.client_id, known.client_secret.reveal(), previous and previous.reveal()):
            digest.update(repr(part).encode())
    return digest.hexdigest()
