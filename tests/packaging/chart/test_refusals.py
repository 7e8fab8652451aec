"""What would install and then not work, or tell a secret, is refused with a sentence."""

from typing import Any

import pytest

from tests.support.helm import Helm, RefusedError, Values

ACCOUNT: Values = {"credentials": {"existingSecret": "zoom"}}
REDIS: Values = {"store": {"url": "redis://redis.example:6379/0"}}
SIMULATOR: Values = {"simulator": {"enabled": True}}

HALF: Values = {"existingSecret": "tls", "keys": {"key": "tls.key"}}
SENTINEL: Values = {"sentinelPassword": "sentinel"}
TLS: Values = {"existingSecret": "gateway-tls"}
APP: Values = {"clientId": "b", "existingSecret": "c"}

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
    "a password with a slash": (
        {**ACCOUNT, "store": {"url": "redis://gateway:can/ary@redis.example/0"}},
        "store.url holds a password, and it stands in a ConfigMap",
    ),
    "a secret in camel case": (
        {**ACCOUNT, "config": {"accounts": {"sales": {"apps": [{"clientSecret": "canary"}]}}}},
        "config.accounts.sales.apps[0].clientSecret is a secret",
    ),
    "a password for the collector": (
        {**ACCOUNT, "config": {"tracing": {"endpoint": "https://me:canary@otel.example"}}},
        "config.tracing.endpoint holds a user's name or password",
    ),
    "no URL": (
        {**ACCOUNT, "config": {"upstream": {"api_url": "zoom.example:8443"}}},
        "config.upstream.api_url is no URL: it begins with https:// or http:// and a host",
    ),
    "a number for a URL": (
        {**ACCOUNT, "config": {"upstream": {"token_url": 5}}},
        "config.upstream.token_url is no URL",
    ),
    "no store": (
        {**ACCOUNT, "config": {"store": {"url": None}}},
        "config.store.url is none of memory:, file:///DIRECTORY, redis://",
    ),
    "a store in capitals, which the gateway refuses": (
        {**ACCOUNT, "config": {"store": {"url": "REDIS://redis.example/0"}}},
        "config.store.url is none of memory:, file:///DIRECTORY, redis://",
    ),
    "a Secret for no store": (
        {**ACCOUNT, "store": {"existingSecret": "store"}},
        'store.existingSecret is for a Redis, which store.url "memory:" is not',
    ),
    "a password for no Sentinel": (
        {**ACCOUNT, "store": {**REDIS["store"], "existingSecret": "s", "keys": SENTINEL}},
        'store.keys.sentinelPassword is for Sentinels, and store.url "redis://redis.example',
    ),
    "certificates without TLS": (
        {**ACCOUNT, "store": {**REDIS["store"], "tls": {"existingSecret": "tls"}}},
        'store.tls is for rediss:// and rediss+sentinel://, and store.url is "redis://redis.exa',
    ),
    "a user without a password": (
        {**ACCOUNT, "store": {"url": "redis://gateway@redis.example:6379/0"}},
        "store.url names a user, and there is no password",
    ),
    "no address": (
        {**ACCOUNT, "config": {"admin": {"host": None}}},
        "config.admin.host must be an address, such as 0.0.0.0 or ::",
    ),
    "one port twice": (
        {**ACCOUNT, "config": {"listen": {"port": 9090}}},
        "config.listen.port and config.admin.port are both 9090",
    ),
    "two apps of one name": (
        {"accounts": {"sales": {"accountId": "a", "apps": [APP, APP]}}},
        "accounts.sales.apps: two have the same name (without one it is default)",
    ),
    "a Secret of which nothing is used": (
        {**ACCOUNT, "store": {**REDIS["store"], "existingSecret": "s", "keys": {"password": ""}}},
        "store.existingSecret is set, and none of store.keys",
    ),
    "half a client certificate": (
        {**ACCOUNT, "store": {"url": "rediss://r/0", "tls": HALF}},
        "store.tls.keys names one of certificate and key: they go together",
    ),
    "ranges of no load balancer": (
        {**ACCOUNT, "service": {"loadBalancerSourceRanges": ["10.0.0.0/8"]}},
        "service.loadBalancerSourceRanges is for service.type: LoadBalancer",
    ),
    "a rollout that cannot begin": (
        {**ACCOUNT, "updateStrategy": {"rollingUpdate": {"maxSurge": 0}}},
        "maxSurge and maxUnavailable are both 0, so no pod could ever be replaced",
    ),
    "a scrape longer than its interval": (
        {**ACCOUNT, "serviceMonitor": {"enabled": True, "interval": "5s"}},
        "serviceMonitor.scrapeTimeout (10s) is longer than serviceMonitor.interval (5s)",
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
    "callers' certificates over plain HTTP": (
        {**ACCOUNT, "tls": {"clientCA": {"existingSecret": "callers-ca"}}},
        "tls.clientCA without a certificate of the gateway's own",
    ),
    "a test's certificate over plain HTTP": (
        {**ACCOUNT, "tls": {"testClient": {"existingSecret": "test"}}},
        "tls.testClient without a certificate of the gateway's own",
    ),
    "a CA in two places": (
        {**ACCOUNT, "tls": {**TLS, "clientCA": {"existingSecret": "a", "existingConfigMap": "b"}}},
        "tls.clientCA names a Secret and a ConfigMap: keep one of them",
    ),
    "Zoom's CA in two places": (
        {
            **ACCOUNT,
            "upstream": {"caFile": {"existingSecret": "a", "existingConfigMap": "b"}},
        },
        "upstream.caFile names a Secret and a ConfigMap: keep one of them",
    ),
    "a certificate that nobody signs": (
        {**ACCOUNT, "tls": {"certificate": {"enabled": True}}},
        "tls.certificate.enabled needs tls.certificate.issuerRef.name",
    ),
    "TLS on loopback": (
        {**ACCOUNT, **REDIS, "mode": "sidecar", "tls": TLS},
        "tls is for mode: service",
    ),
    "a socket that no Service gets to": (
        {**ACCOUNT, "config": {"listen": {"socket": "/run/zoom-gateway/proxy.sock"}}},
        "config.listen.socket is for mode: sidecar",
    ),
    "a caller's key": (
        {**ACCOUNT, "config": {"access": {"keys": {"sales": {"key": "canary"}}}}},
        "config.access.keys.sales holds a key, and gateway.yaml stands in a ConfigMap",
    ),
    "a caller's key in short": (
        {**ACCOUNT, "config": {"access": {"keys": {"sales": "canary"}}}},
        "config.access.keys.sales holds a key, and gateway.yaml stands in a ConfigMap",
    ),
    "a proxy's password": (
        {**ACCOUNT, "config": {"upstream": {"egress_proxy": "http://me:canary@proxy:3128"}}},
        "config.upstream.egress_proxy holds a user's name or password",
    ),
    "a proxy's password in a variable": (
        {**ACCOUNT, "extraEnv": [{"name": "https_proxy", "value": "http://me:canary@proxy:1"}]},
        "extraEnv: https_proxy holds a password, and everybody who sees the pod sees it",
    ),
    "a proxy twice": (
        {
            **ACCOUNT,
            "upstream": {"egressProxy": {"existingSecret": "proxy", "port": 3128}},
            "config": {"upstream": {"egress_proxy": "http://proxy:3128"}},
        },
        "upstream.egressProxy.existingSecret and config.upstream.egress_proxy are both about",
    ),
    "a proxy that the policy keeps away": (
        {**ACCOUNT, "upstream": {"egressProxy": {"existingSecret": "proxy"}}},
        "upstream.egressProxy.port is not set, and the NetworkPolicy has to let the gateway out",
    ),
    "a proxy before the simulator": (
        {**SIMULATOR, "upstream": {"egressProxy": {"existingSecret": "proxy", "port": 3128}}},
        "upstream.egressProxy is a way to Zoom, and simulator.enabled answers in Zoom's place",
    ),
    "more bodies than the volume takes": (
        {**ACCOUNT, "workers": 3, "config": {"limits": {"kept_disk": 2**30}}},
        "config.limits.kept_disk allows 3221225472 bytes in all workers, more than tmp.size",
    ),
    "more bodies than the memory": (
        {**ACCOUNT, "config": {"limits": {"kept_memory": 2**29 + 1}}},
        "bytes in all workers, more than resources.limits.memory (512Mi): the pod would be ended",
    ),
    "an autoscaler that waits for more calls than there can be": (
        {
            **ACCOUNT,
            **REDIS,
            "autoscaling": {"enabled": True, "targetInflightRequests": 400},
            "workers": 2,
            "config": {"limits": {"calls": 200}},
        },
        "autoscaling.targetInflightRequests is 400, and a pod takes 400 calls at most",
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


def test_a_release_whose_name_is_no_name_for_a_service_is_told_so(helm: Helm) -> None:
    with pytest.raises(RefusedError, match="The Services would be called 1st-zoom-gateway"):
        helm.render(ACCOUNT, release="1st")
    assert helm.render({**ACCOUNT, "fullnameOverride": "first"}, release="1st").every("Service")


@pytest.mark.parametrize("case", SENTENCES)
def test_a_sentence_says_what_to_do(helm: Helm, case: str) -> None:
    values, sentence = SENTENCES[case]
    with pytest.raises(RefusedError) as refused:
        helm.render(values)
    assert sentence in str(refused.value)
    assert "canary" not in str(refused.value)
    assert "can/ary" not in str(refused.value)


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
    "credentials.keys": (
        {"credentials": {"existingSecret": "zoom", "keys": {"clientSecret": ""}}},
        "/credentials/keys/clientSecret': minLength",
    ),
    "credentials.accountId": (
        {"credentials": {"existingSecret": "zoom", "accountId": "a b"}},
        "/credentials/accountId'",
    ),
    "credentials": ({"credentials": None}, "missing property 'credentials'"),
    "fullnameOverride": ({"fullnameOverride": "Zoom_1"}, "/fullnameOverride'"),
    "networkPolicy.zoom": ({"networkPolicy": {"zoom": []}}, "/networkPolicy/zoom': minItems"),
    "livenessProbe": ({"livenessProbe": {"successThreshold": 2}}, "/livenessProbe/success"),
    "config.drain": ({"config": {"drain": 5}}, "/config/drain': got number, want object"),
    "accounts": ({"accounts": {"Sales Dept": {}}}, "/accounts"),
    "accounts.sales.apps": (
        {"accounts": {"sales": {"accountId": "a", "apps": [{"clientId": "b"}]}}},
        "missing property 'existingSecret'",
    ),
    "access.rules": (
        {"access": {"rules": []}},
        "additional properties 'rules' not allowed",
    ),
    "access.keys": (
        {"access": {"keys": {"sales": {"existingSecret": "keys"}}}},
        "missing property 'key'",
    ),
    "tls.clientCertificates": ({"tls": {"clientCertificates": "off"}}, "/tls/clientCertificates'"),
    "tls.keys": ({"tls": {"keys": {"key": ""}}}, "/tls/keys/key': minLength"),
    "tls.certificate.duration": (
        {"tls": {"certificate": {"duration": "90 days"}}},
        "/tls/certificate/duration'",
    ),
    "upstream.egressProxy": (
        {"upstream": {"egressProxy": {"url": "http://proxy:3128"}}},
        "additional properties 'url' not allowed",
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
        {"access": {"keys": {"sales": {"key_file": "/vault/sales"}}}},
        {"limits": {"kept_disk": 2**31, "kept_memory": 2**29}},
    ],
)
def test_what_only_looks_like_a_secret_is_let_through(helm: Helm, config: Any) -> None:
    """The gateway itself knows which keys there are."""
    rendered = helm.render({**ACCOUNT, "config": config})
    for section, keys in config.items():
        assert keys.items() <= rendered.config[section].items()
