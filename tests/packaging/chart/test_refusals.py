"""What would install and then not work, or tell a secret, is refused with a sentence."""

from typing import Any

import pytest

from tests.support.helm import Helm, RefusedError, Values

ACCOUNT: Values = {"credentials": {"existingSecret": "zoom"}}
REDIS: Values = {"store": {"url": "redis://redis.example:6379/0"}}
SIMULATOR: Values = {"simulator": {"enabled": True}}

NOT_SHARED = (
    'More than one replica needs a store that they share, which store.url "memory:" is not: each'
    " would mint tokens of its own, and they kill those of the others. Set store.url to a Redis, as"
    " in redis://gateway@redis.example:6379/0, or set replicaCount to 1 and autoscaling.enabled to"
    " false."
)

SENTENCES: dict[str, tuple[Values, str]] = {
    "no credentials": (
        {},
        "There are no credentials: make a Secret with the keys account-id, client-id and client",
    ),
    "replicas without a store": (
        {**ACCOUNT, "replicaCount": 2},
        NOT_SHARED,
    ),
    "replicas with a directory": (
        {**ACCOUNT, "replicaCount": 2, "config": {"store": {"url": "file:///tmp/tokens"}}},
        'which store.url "file:///tmp/tokens" is not',
    ),
    "autoscaling without a store": (
        {**ACCOUNT, "autoscaling": {"enabled": True}},
        "More than one replica needs a store that they share",
    ),
    "replicas of a simulator": (
        {**SIMULATOR, **REDIS, "replicaCount": 2},
        "simulator.enabled runs a simulator in each pod",
    ),
    "a simulator and credentials": (
        {**SIMULATOR, **ACCOUNT},
        "simulator.enabled answers in Zoom's place, with credentials of its own",
    ),
    "a simulator beside a sidecar": (
        {**SIMULATOR, **REDIS, "mode": "sidecar"},
        "simulator.enabled is for mode: service",
    ),
    "sidecars without a store": (
        {**ACCOUNT, "mode": "sidecar"},
        'Sidecars share the account\'s tokens through a Redis, which store.url "memory:" is not',
    ),
    "a sidecar that all reach": (
        {**ACCOUNT, **REDIS, "mode": "sidecar", "config": {"listen": {"host": "0.0.0.0"}}},
        "config.listen.host is 0.0.0.0: who reaches a sidecar's proxy calls Zoom with your token",
    ),
    "a service that none reaches": (
        {**ACCOUNT, "config": {"listen": {"host": "127.0.0.1"}}},
        "config.listen.host is 127.0.0.1, where the Service does not get to",
    ),
    "an admin port for nobody": (
        {**ACCOUNT, "config": {"admin": {"host": "::1"}}},
        "config.admin.host is ::1, where neither the kubelet's probes nor Prometheus get to",
    ),
    "a port that nobody knows": (
        {**ACCOUNT, "config": {"admin": {"port": 0}}},
        "config.admin.port must be a port of its own",
    ),
    "a client secret": (
        {"config": {"accounts": {"sales": {"apps": [{"client_secret": "canary"}]}}}},
        "config.accounts.sales.apps[0].client_secret is a secret",
    ),
    "a previous client secret": (
        {"config": {"accounts": {"sales": {"apps": [{"previous_client_secret": "canary"}]}}}},
        "config.accounts.sales.apps[0].previous_client_secret is a secret",
    ),
    "a password": (
        {**ACCOUNT, "config": {"store": {"password": "canary"}}},
        "config.store.password is a secret, and gateway.yaml stands in a ConfigMap",
    ),
    "a key in place of its file": (
        {**ACCOUNT, "config": {"store": {"encryption_key_file": "canary"}}},
        "config.store.encryption_key_file must be the path of a mounted file",
    ),
    "a password in the URL": (
        {**ACCOUNT, "store": {"url": "rediss://gateway:canary@redis.example:6379/0"}},
        "store.url holds a password, and it stands in a ConfigMap",
    ),
    "a password in the other URL": (
        {**ACCOUNT, "config": {"store": {"url": "redis+sentinel://:canary@a:1,b:2/primary"}}},
        "store.url holds a password, and it stands in a ConfigMap",
    ),
    "a password in a URL in capitals": (
        {**ACCOUNT, "config": {"store": {"url": "REDIS://:canary@redis.example/0"}}},
        "store.url holds a password, and it stands in a ConfigMap",
    ),
    "one account twice": (
        {
            **ACCOUNT,
            "accounts": {
                "default": {"accountId": "a", "apps": [{"clientId": "b", "existingSecret": "c"}]}
            },
        },
        "credentials and accounts.default are both about the account default",
    ),
    "too little time to drain": (
        {**ACCOUNT, "terminationGracePeriodSeconds": 34},
        "terminationGracePeriodSeconds is 34, but draining takes up to 35 s",
    ),
    "an autoscaler that looks at nothing": (
        {**ACCOUNT, **REDIS}
        | {"autoscaling": {"enabled": True, "targetCPUUtilizationPercentage": None}},
        "autoscaling.enabled needs something to go by",
    ),
    "an autoscaler upside down": (
        {**ACCOUNT, **REDIS, "autoscaling": {"enabled": True, "maxReplicas": 1}},
        "autoscaling.minReplicas is greater than autoscaling.maxReplicas",
    ),
}


@pytest.mark.parametrize("case", SENTENCES)
def test_a_sentence_says_what_to_do(helm: Helm, case: str) -> None:
    values, sentence = SENTENCES[case]
    with pytest.raises(RefusedError) as refused:
        helm.render(values)
    assert sentence in str(refused.value)
    assert "canary" not in str(refused.value)


SCHEMA: dict[str, tuple[Values, str]] = {
    "replicaCounts": ({"replicaCounts": 2}, "additional properties 'replicaCounts' not allowed"),
    "image.name": ({"image": {"name": "x"}}, "additional properties 'name' not allowed"),
    "store.password": (
        {"store": {"password": "x"}},
        "additional properties 'password' not allowed",
    ),
    "service.prot": ({"service": {"prot": 1}}, "additional properties 'prot' not allowed"),
    "replicaCount": ({"replicaCount": "two"}, "/replicaCount': got string, want integer"),
    "service.type": ({"service": {"type": "ExternalName"}}, "/service/type'"),
    "image.digest": ({"image": {"digest": "latest"}}, "/image/digest'"),
    "store.url": ({"store": {"url": "postgres://db"}}, "/store/url'"),
    "mode": ({"mode": "daemon"}, "/mode'"),
    "config.drain": ({"config": {"drain": 5}}, "/config/drain': got number, want object"),
    "accounts": ({"accounts": {"Sales Dept": {}}}, "/accounts"),
    "accounts.sales.apps": (
        {"accounts": {"sales": {"accountId": "a", "apps": [{"clientId": "b"}]}}},
        "missing property 'existingSecret'",
    ),
    "tolerations": ({"tolerations": {"key": "x"}}, "/tolerations': got object, want array"),
    "podAnnotations": ({"podAnnotations": {"scan": True}}, "/podAnnotations/scan'"),
    "resources": ({"resources": {"limit": {}}}, "additional properties 'limit' not allowed"),
    "prometheusRule": ({"prometheusRule": {"runbookBaseUrl": "wiki"}}, "/runbookBaseUrl'"),
}


@pytest.mark.parametrize("key", SCHEMA)
def test_the_schema_refuses(helm: Helm, key: str) -> None:
    values, words = SCHEMA[key]
    with pytest.raises(RefusedError) as refused:
        helm.render({**ACCOUNT, **values})
    assert "values don't meet the specifications of the schema" in str(refused.value)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    "config",
    [
        {"token": {"wait_timeout": 10}},
        {"store": {"lease": 5}},
        {"a_section_of_a_later_version": {"key": 1}},
    ],
)
def test_what_only_looks_like_a_secret_is_let_through(helm: Helm, config: Any) -> None:
    """The gateway itself knows which keys there are."""
    rendered = helm.render({**ACCOUNT, "config": config})
    for section, keys in config.items():
        assert keys.items() <= rendered.config[section].items()
