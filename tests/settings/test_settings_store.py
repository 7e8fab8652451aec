"""The store: its URLs, passwords and certificates."""

import pickle
from pathlib import Path

import pytest

from gateway.core.secret import Secret
from gateway.settings import StoreSettings
from tests.settings import certificates
from tests.settings.configured import SECRET, problems
from tests.settings.configured_store import loaded, store, wrong

SENTINELS = "redis+sentinel://a:26379,b:26379/main"


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    path = tmp_path / "password"
    path.write_text(f"{SECRET}\n")
    return path


class TestUrls:
    def test_the_directory_of_a_file_store(self) -> None:
        file = store(url="file:///var/a%20b")
        assert (file.directory, file.redis) == (Path("/var/a b"), None)
        assert (store().directory, store().redis) == (None, None)

    @pytest.mark.parametrize(
        ("url", "nodes", "master", "database", "tls"),
        [
            ("redis://localhost", [("localhost", 6379)], None, 0, False),
            ("redis://host/", [("host", 6379)], None, 0, False),
            ("redis://[::1]:6380/15", [("::1", 6380)], None, 15, False),
            ("rediss://redis.example.com:7/1", [("redis.example.com", 7)], None, 1, True),
            ("redis+sentinel://h/m", [("h", 26379)], "m", 0, False),
            ("redis+sentinel://h/m/", [("h", 26379)], "m", 0, False),
            ("redis+sentinel://a:1,b,[::2]:3/m.a_-1/4", None, "m.a_-1", 4, False),
            ("rediss+sentinel://10.0.0.1,10.0.0.2/m", None, "m", 0, True),
        ],
    )
    def test_redis(
        self,
        url: str,
        nodes: list[tuple[str, int]] | None,
        master: str | None,
        database: int,
        tls: bool,  # noqa: FBT001 - a column of the table
    ) -> None:
        made = store(url=url)
        assert made.redis is not None
        assert (made.redis.master, made.redis.database, made.tls) == (master, database, tls)
        assert nodes is None or made.redis.nodes == tuple(nodes)
        assert (made.redis.user, made.redis.password, made.directory) == (None, None, None)

    def test_every_sentinel_is_a_node(self) -> None:
        made = store(url="redis+sentinel://a:1,b,[::2]:3/m")
        assert made.redis is not None
        assert made.redis.nodes == (("a", 1), ("b", 26379), ("::2", 3))

    @pytest.mark.parametrize(
        ("url", "hint"),
        [
            ("redis:", "must name a host and a port"),
            ("redis:host", "must name a host and a port"),
            ("redis://", "must name a host and a port"),
            ("redis:///0", "must name a host and a port"),
            ("redis://:secret@/0", "must name a host and a port"),
            ("redis://:a/b@host/0", "in a password, / is written %2F"),
            ("rediss://host:0/0", "must name a host and a port"),
            ("rediss://host:65536/0", "must name a host and a port"),
            ("rediss://host:port/0", "must name a host and a port"),
            ("redis://host:/0", "must name a host and a port"),
            ("redis://::1/0", "an IPv6 address is in brackets"),
            ("redis://[::1/0", "an IPv6 address is in brackets"),
            ("redis://a,b/0", "must name one host: several are for Sentinels"),
            ("redis://host/zero", "number of a database, as in redis://host/0"),
            ("rediss://host/0/1", "number of a database, as in rediss://host/0"),
            ("redis://host/0?db=1", "nothing after ? or #"),
            ("redis://:a#b@host", "in a password they are written %3F and %23"),
            ("redis://@host", "must hold a user or a password before the @"),
            ("redis://:@host", "must hold a user or a password before the @"),
            ("redis://:%ff@host", "must be UTF-8"),
            ("redis+sentinel://", "must name a host and a port"),
            ("redis+sentinel://a,,b/m", "must name a host and a port"),
            ("redis+sentinel://a,b:x/m", "as in redis+sentinel://host:26379,host:26379/master"),
            ("redis+sentinel://a,a:26379/m", "must name no host twice"),
            ("redis+sentinel://a:26379", "must name the Sentinels' master after the hosts"),
            ("redis+sentinel://a:26379/", "must name the Sentinels' master after the hosts"),
            ("redis+sentinel://a/my master", "must be memory:"),
            ("redis+sentinel://a/my%20master", "the master's name (letters, digits, . - and _)"),
            ("redis+sentinel://a/m/x", "at most the number of a database"),
            ("redis+sentinel://a/m/0/1", "at most the number of a database"),
            ("redis-sentinel://a/m", "redis-sentinel: is no store that is supported: use"),
            ("REDIS://a", "REDIS: is no store that is supported: use"),
            ("redis+tls://a", "(rediss: with TLS)"),
        ],
    )
    def test_a_wrong_one_is_told_with_a_right_one(self, url: str, hint: str) -> None:
        line = wrong(url=url)
        assert line.startswith("url (from ZOOM_GATEWAY_STORE__URL): must") or "no store" in line
        assert hint in line

    def test_a_wrong_one_is_not_repeated(self) -> None:
        assert "hunter2" not in wrong(url="redis://u:hunter2@host/x")


class TestAPasswordInTheUrl:
    @pytest.mark.parametrize("user", ["", "gateway"])
    @pytest.mark.parametrize("rest", ["://{}:{}@host:6379/1", "+sentinel://{}:{}@h,i/main/1"])
    def test_is_seen_by_the_store_alone(self, user: str, rest: str) -> None:
        made = loaded(url="redis" + rest.format(user, "hunter2%40@"))
        url, shown = made.store.url, "redis" + rest.format(user, "***")
        assert (str(url), f"{url}", made.describe()["store"]["url"]) == (shown, shown, shown)
        assert "hunter2" not in repr(made) + repr(url) + made.model_dump_json() + str(made)
        assert made.store.redis is not None
        assert "hunter2" not in repr(made.store.redis)
        assert made.store.redis_password() == Secret("hunter2@@")
        assert made.store.redis.user == (user or None)
        assert made.model_copy().store.redis == made.store.redis

    def test_makes_another_url(self) -> None:
        one, same, other = (store(url=f"redis://:{p}@host").url for p in ("a", "a", "b"))
        assert one == same
        assert one != other
        assert one != str(one)
        assert len({one, same, other}) == 2

    def test_outlives_a_second_check(self) -> None:
        made = store(url="redis://:hunter2@host")
        again = StoreSettings(**dict(made))
        assert again == made
        assert again.redis_password() == Secret("hunter2")

    def test_is_not_pickled(self) -> None:
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps(store(url="redis://:hunter2@host").url)

    @pytest.mark.parametrize("key", ["password", "password_file"])
    def test_and_one_by_key_is_one_too_many(self, key: str, secret_file: Path) -> None:
        value = SECRET if key == "password" else secret_file
        line = wrong(url="redis://:hunter2@host", **{key: value})
        assert line.endswith("is one too many: store.url holds a password, too; keep one of them")
        assert "hunter2" not in line


class TestPasswords:
    def test_by_value(self) -> None:
        made = store(url=SENTINELS, password=SECRET, sentinel_password="other")
        assert made.redis_password() == Secret(SECRET)
        assert made.current_sentinel_password() == Secret("other")

    def test_there_need_be_none(self) -> None:
        made = store(url=SENTINELS)
        assert made.redis_password() is None
        assert made.current_sentinel_password() is None

    def test_a_file_is_read_afresh(self, secret_file: Path) -> None:
        made = store(url=SENTINELS, password_file=secret_file, sentinel_password_file=secret_file)
        assert made.redis_password() == made.current_sentinel_password() == Secret(SECRET)
        secret_file.write_text("rotated")
        assert made.redis_password() == made.current_sentinel_password() == Secret("rotated")

    def test_a_file_that_is_gone_later(self, secret_file: Path) -> None:
        made = store(url="redis://h", password_file=secret_file)
        secret_file.unlink()
        with pytest.raises(ValueError, match=r"^password_file: .*password cannot be read: No such"):
            made.redis_password()

    @pytest.mark.parametrize("key", ["password", "sentinel_password"])
    def test_not_both(self, key: str, secret_file: Path) -> None:
        line = wrong(url=SENTINELS, **{key: SECRET, f"{key}_file": secret_file})
        assert line.startswith(f"{key}_file")
        assert line.endswith(f"is one too many: {key} is set, too; keep one of the two")

    @pytest.mark.parametrize("url", ["redis://gateway@host", "redis+sentinel://gateway:@host/m"])
    def test_a_user_needs_one(self, url: str, secret_file: Path) -> None:
        assert wrong(url=url) == (
            "password: is missing: set it or password_file,"
            " or the variable ZOOM_GATEWAY_STORE__PASSWORD"
        )
        made = store(url=url, password_file=secret_file)
        assert made.redis is not None
        assert (made.redis.user, made.redis.password) == ("gateway", None)
        assert made.redis_password() == Secret(SECRET)

    def test_a_wrong_one_is_one_problem(self) -> None:
        assert wrong(url="redis://gateway@host", password="...").endswith(
            "is a placeholder: fill in the secret"
        )

    @pytest.mark.parametrize(
        ("url", "key", "hint"),
        [
            ("memory:", "password", "rediss+sentinel:// alone, and store.url begins with memory:"),
            ("file:///x", "password_file", "redis:// and redis+sentinel:// and rediss:// and"),
            ("redis://h", "sentinel_password", "redis+sentinel:// and rediss+sentinel:// alone"),
            ("rediss://h", "sentinel_password_file", "store.url begins with rediss:"),
        ],
    )
    def test_one_that_nobody_asks_for(
        self, url: str, key: str, hint: str, secret_file: Path
    ) -> None:
        line = wrong(url=url, **{key: secret_file})
        assert line.startswith(key)
        assert hint in line

    def test_none_is_shown(self, secret_file: Path) -> None:
        made = loaded(url=SENTINELS, password=SECRET, sentinel_password=SECRET)
        for shown in (repr(made), str(made), str(made.model_dump()), made.model_dump_json()):
            assert SECRET not in shown
        assert made.describe()["store"]["password"] == "***"
        by_file = loaded(url=SENTINELS, password_file=secret_file)
        assert by_file.describe()["store"]["password_file"] == str(secret_file)
        assert SECRET not in repr(by_file)


class TestCertificates:
    @pytest.fixture
    def ca(self, tmp_path: Path) -> Path:
        certificates.make_ca(tmp_path / "ca.pem")
        return tmp_path / "ca.pem"

    @pytest.fixture
    def pair(self, tmp_path: Path) -> tuple[Path, Path]:
        certificates.make_ca(tmp_path / "client.pem", tmp_path / "client.key")
        return tmp_path / "client.pem", tmp_path / "client.key"

    @pytest.mark.parametrize("url", ["rediss://h", "rediss+sentinel://h/m"])
    def test_all_three(self, url: str, ca: Path, pair: tuple[Path, Path]) -> None:
        made = store(url=url, ca_file=ca, client_certificate_file=pair[0], client_key_file=pair[1])
        assert (made.ca_file, made.client_certificate_file, made.client_key_file) == (ca, *pair)

    @pytest.mark.parametrize("key", ["ca_file", "client_certificate_file", "client_key_file"])
    def test_a_file_that_is_not_there(self, key: str) -> None:
        line = wrong(url="rediss://h", **{key: "/none/such.pem"})
        assert line.startswith(key)
        assert line.endswith("/none/such.pem cannot be read: No such file or directory")

    @pytest.mark.parametrize("url", ["redis://h", "redis+sentinel://h/m", "memory:"])
    def test_are_for_tls_alone(self, url: str, ca: Path) -> None:
        hint = "is for rediss:// and rediss+sentinel:// alone, and store.url begins with"
        assert hint in wrong(url=url, ca_file=ca)

    @pytest.mark.parametrize("content", ["", "no PEM", "-----BEGIN CERTIFICATE-----\nx\n"])
    def test_a_ca_file_without_a_certificate(self, content: str, ca: Path) -> None:
        ca.write_text(content)
        assert wrong(url="rediss://h", ca_file=ca).endswith(f"{ca} holds no CA certificate in PEM")

    def test_certificate_and_key_only_together(self, pair: tuple[Path, Path]) -> None:
        line = wrong(url="rediss://h", client_certificate_file=pair[0])
        assert line == (
            "client_key_file: is missing: client_certificate_file is set; set both or neither"
        )
        line = wrong(url="rediss://h", client_key_file=pair[1])
        assert line.endswith("is set without client_certificate_file: set both or neither")

    def test_a_key_of_another_certificate(self, ca: Path, pair: tuple[Path, Path]) -> None:
        line = wrong(url="rediss://h", client_certificate_file=ca, client_key_file=pair[1])
        assert f"{pair[1]} is not the key of {ca} (client_certificate_file), in PEM" in line

    def test_a_key_with_a_passphrase_asks_nobody_for_it(self, tmp_path: Path) -> None:
        certificate, key = tmp_path / "client.pem", tmp_path / "client.key"
        certificates.make_ca(certificate, key, b"secret")
        line = wrong(url="rediss://h", client_certificate_file=certificate, client_key_file=key)
        assert line.endswith("in PEM and without a passphrase")


def test_all_problems_of_the_store_come_at_once() -> None:
    text = """
        store:
          url: redis://user@host/0
          password: ...
          sentinel_password: s
          ca_file: /none/ca
          client_key_file: /none/key
          encryption_key_file: /none/key
          previous_encryption_key: x
    """
    keys = [line.partition(":")[0] for line in problems(text)]
    assert keys == [
        "store.password",
        "store.sentinel_password",
        "store.ca_file",
        "store.client_key_file",
        "store.encryption_key_file",
        "store.previous_encryption_key",
    ]
