"""The composition root: the one package that names implementations.

Everything else receives what it needs. Nobody else reads settings or the environment.
"""

from gateway.wiring.credentials import credentials_print, identities
from gateway.wiring.gateway import Gateway, Worker
from gateway.wiring.store import token_store
from gateway.wiring.zoom import minter, prober, upstream

__all__ = [
    "Gateway",
    "Worker",
    "credentials_print",
    "identities",
    "minter",
    "prober",
    "token_store",
    "upstream",
]
