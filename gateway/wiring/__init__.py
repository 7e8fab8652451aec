"""The composition root: the one package that names implementations.

Everything else receives what it needs. Nobody else reads settings or the environment.
"""

from gateway.wiring.access import access_policy, policy_of, sources
from gateway.wiring.credentials import credentials_print, identities
from gateway.wiring.gateway import Gateway
from gateway.wiring.limits import descriptors
from gateway.wiring.replica import Worker
from gateway.wiring.store import load_clients, redis_facts, token_store
from gateway.wiring.ways import Way, store_ways, token_host, zoom_ways
from gateway.wiring.zoom import minter, prober, upstream

__all__ = [
    "Gateway",
    "Way",
    "Worker",
    "access_policy",
    "credentials_print",
    "descriptors",
    "identities",
    "load_clients",
    "minter",
    "policy_of",
    "prober",
    "redis_facts",
    "sources",
    "store_ways",
    "token_host",
    "token_store",
    "upstream",
    "zoom_ways",
]
