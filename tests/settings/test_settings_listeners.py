"""Where callers connect, and what they must speak and show there."""

import ssl
from pathlib import Path

import pytest

from gateway.core.errors import ConfigurationError
from gateway.settings import Settings
from tests.settings.certificates import make_ca
from tests.settings.configured import problem, problems, settings
from tests.stores.certificates import Authority, Issued


def tls(**keys: Path | str) -> str:
    lines = [f"  {key}: {str(value)!r}" for key, value in keys.items()]
    return "\n".join(["tls:", *lines])


def files(issued: Issued) -> dict[str, Path | str]:
    return {"certificate_file": issued.certificate, "key_file": issued.key}


@pytest.fixture
def ca(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


class TestTls:
    def test_it_is_off_unless_there_is_a_certificate(self) -> None:
        made = settings().tls
        assert (made.on, made.asked, made.files) == (False, None, ())

    def test_on_with_and_without_certificates_of_callers(self, ca: Authority) -> None:
        own = files(ca.issue("gateway.test"))
        made = settings(tls(**own)).tls
        assert (made.on, made.asked) == (True, None)
        assert settings(tls(**own, client_ca_file=ca.file)).tls.asked == "required"
        optional = tls(**own, client_ca_file=ca.file, client_certificates="optional")
        assert settings(optional).tls.asked == "optional"

    @pytest.mark.parametrize("written", ["1.3", "'1.3'"])
    def test_a_version_with_and_without_quotes(self, written: str) -> None:
        assert settings(f"tls: {{minimum_version: {written}}}").tls.minimum_version == "1.3"

    @pytest.mark.parametrize("written", ["1.1", "1", "tls1.2", "1.30"])
    def test_an_old_version_is_refused(self, written: str) -> None:
        found = problem(f"tls: {{minimum_version: '{written}'}}")
        assert found == "tls.minimum_version: must be 1.2 or 1.3"

    def test_half_of_a_pair_is_refused(self, ca: Authority) -> None:
        issued = ca.issue("gateway.test")
        assert problem(tls(certificate_file=issued.certificate)) == (
            "tls.key_file: is missing: certificate_file is set; set both or neither"
        )
        assert problem(tls(key_file=issued.key)) == (
            "tls.key_file: is set without certificate_file: set both or neither"
        )

    def test_what_promises_a_protection_that_is_not_there_is_refused(self, ca: Authority) -> None:
        found = problem(tls(client_ca_file=ca.file))
        assert found == "tls.client_ca_file: is of no use without certificate_file"
        own = files(ca.issue("gateway.test"))
        for asked in ("required", "optional"):
            found = problem(tls(**own, client_certificates=asked))
            assert found == "tls.client_certificates: is of no use without client_ca_file"

    def test_the_key_of_another(self, ca: Authority) -> None:
        one, other = ca.issue("one.test"), ca.issue("other.test")
        found = problem(tls(certificate_file=one.certificate, key_file=other.key))
        assert found.startswith(f"tls.key_file: {other.key} is not the key of the first")
        assert str(one.certificate) in found

    def test_a_chain_in_the_wrong_order(self, ca: Authority, tmp_path: Path) -> None:
        issued, chain = ca.issue("gateway.test"), tmp_path / "chain.pem"
        chain.write_bytes(ca.file.read_bytes() + issued.certificate.read_bytes())
        assert "must come before" in problem(tls(certificate_file=chain, key_file=issued.key))
        chain.write_bytes(issued.certificate.read_bytes() + ca.file.read_bytes())
        assert settings(tls(certificate_file=chain, key_file=issued.key)).tls.on

    def test_a_passphrase(self, tmp_path: Path) -> None:
        certificate, key = tmp_path / "tls.crt", tmp_path / "tls.key"
        make_ca(certificate, key, b"a passphrase")
        found = problem(tls(certificate_file=certificate, key_file=key))
        assert found.startswith(f"tls.key_file: {key} is encrypted with a passphrase")

    def test_files_that_hold_something_else(self, ca: Authority, tmp_path: Path) -> None:
        issued, junk = ca.issue("gateway.test"), tmp_path / "junk.pem"
        junk.write_text("-----BEGIN NOTHING-----\n")
        assert problem(tls(certificate_file=junk, key_file=issued.key)) == (
            f"tls.certificate_file: {junk} holds no certificate in PEM"
        )
        assert problem(tls(certificate_file=issued.certificate, key_file=junk)) == (
            f"tls.key_file: {junk} holds no private key in PEM"
        )
        assert problem(tls(**files(issued), client_ca_file=junk)) == (
            f"tls.client_ca_file: {junk} holds no CA certificate in PEM"
        )
        missing = tmp_path / "missing.pem"
        found = problems(tls(certificate_file=missing, client_ca_file=missing))
        assert f"tls.certificate_file: {missing} cannot be read: No such file" in found[0]
        assert found[1].startswith("tls.client_ca_file: ")

    def test_a_file_of_cas_with_a_certificate_that_is_none(
        self, ca: Authority, tmp_path: Path
    ) -> None:
        issued, mixed = ca.issue("gateway.test"), tmp_path / "mixed.pem"
        own = files(issued)
        found = problem(tls(**own, client_ca_file=issued.certificate))
        assert "holds no certificate of a CA" in found
        mixed.write_bytes(ca.file.read_bytes() + issued.certificate.read_bytes())
        assert "not a CA's, too" in problem(tls(**own, client_ca_file=mixed))

    def test_an_expired_certificate_is_taken(self, ca: Authority) -> None:
        """Callers that do not check it still get through; `check` and the log tell."""
        assert settings(tls(**files(ca.issue("old.test", days=(-3, -1))))).tls.on

    def test_files_that_are_spoilt_later_are_named(self, ca: Authority) -> None:
        issued = ca.issue("gateway.test")
        made = settings(tls(**files(issued), client_ca_file=ca.file)).tls
        issued.key.write_text("")
        with pytest.raises(ConfigurationError) as caught:
            made.context(ssl.SSLContext)
        assert caught.value.problems == [f"tls.key_file: {issued.key} holds no private key in PEM"]
        issued.certificate.write_text("")
        with pytest.raises(ConfigurationError, match=r"tls\.certificate_file"):
            made.certificate()

    def test_what_a_certificate_says_of_itself(self, ca: Authority, tmp_path: Path) -> None:
        issued = ca.issue("127.0.0.1", "gateway.test", "spiffe://cluster.local/gateway")
        certificate = settings(tls(**files(issued))).tls.certificate()
        names = ("gateway.test", "127.0.0.1", "spiffe://cluster.local/gateway")
        assert certificate.names == names
        assert certificate.ends - certificate.begins == pytest.approx(2 * 86400, abs=2)
        make_ca(tmp_path / "bare.crt", tmp_path / "bare.key")
        bare = tls(certificate_file=tmp_path / "bare.crt", key_file=tmp_path / "bare.key")
        assert settings(bare).tls.certificate().names == ()

    def test_not_on_a_unix_socket(self, ca: Authority) -> None:
        text = tls(**files(ca.issue("gateway.test"))) + "\nlisten: {socket: /run/zg/p.sock}"
        assert problem(text).startswith("tls: is for callers over TCP, and listen.socket is set")


class TestSockets:
    def test_the_mode_is_octal_text(self) -> None:
        made = settings("listen: {socket: /run/zg/p.sock, socket_mode: '0600'}").listen
        assert (made.socket, made.mode) == (Path("/run/zg/p.sock"), 0o600)
        assert settings().listen.mode == 0o660

    @pytest.mark.parametrize("written", ["0660", "660", "'0660'"])
    def test_with_and_without_quotes_and_the_leading_zero(self, written: str) -> None:
        assert settings(f"listen: {{socket_mode: {written}}}").listen.mode == 0o660

    @pytest.mark.parametrize("mode", ["0o660", "432.0", "rw", "0999", "1777"])
    def test_what_is_no_mode_is_refused(self, mode: str) -> None:
        found = problem(f"listen: {{socket_mode: {mode}}}")
        assert found == ("listen.socket_mode: must be three octal digits, such as 0660")

    def test_a_mode_without_the_owner_is_refused(self) -> None:
        assert "must let the owner" in problem("listen: {socket_mode: '0060'}")

    @pytest.mark.parametrize("path", ["proxy.sock", "./p", "''", "'@name'", "/", '"/run/a\\0b"'])
    def test_a_path_must_be_whole(self, path: str) -> None:
        assert "must be the whole path of a file" in problem(f"listen: {{socket: {path}}}")

    @pytest.mark.parametrize(("letter", "size"), [("x", 107), ("\u00fc", 53)])
    def test_a_path_has_a_limit_in_bytes(self, letter: str, size: int) -> None:
        fits = "/" + (letter * size)[:106]
        assert settings(f"listen: {{socket: '{fits}'}}").listen.socket == Path(fits)
        found = problem(f"listen: {{socket: '{fits}xx'}}")
        assert "at most 107" in found


def listeners(listen: str, admin: str, port: int = 8080) -> str:
    return f"listen: {{host: '{listen}', port: {port}}}\nadmin: {{host: '{admin}', port: {port}}}"


class TestApart:
    @pytest.mark.parametrize(
        ("listen", "admin"),
        [
            ("127.0.0.1", "127.0.0.1"),
            ("localhost", "127.0.0.1"),
            ("::1", "localhost"),
            ("LOCALHOST", "localhost"),
            ("0.0.0.0", "127.0.0.1"),
            ("::1", "::"),
            ("0.0.0.0", "::"),
            ("::1", "0:0:0:0:0:0:0:1"),
            ("Gateway.test", "gateway.test"),
        ],
    )
    def test_admin_is_never_where_callers_are(self, listen: str, admin: str) -> None:
        assert problem(listeners(listen, admin)).startswith("admin: must listen elsewhere")

    @pytest.mark.parametrize(
        ("listen", "admin"), [("127.0.0.1", "127.0.0.2"), ("127.0.0.1", "::1")]
    )
    def test_one_port_of_two_addresses(self, listen: str, admin: str) -> None:
        assert isinstance(settings(listeners(listen, admin)), Settings)

    def test_any_free_port_is_another_each_time(self) -> None:
        assert isinstance(settings(listeners("127.0.0.1", "127.0.0.1", 0)), Settings)

    def test_a_unix_socket_leaves_the_port_to_admin(self) -> None:
        text = "listen: {socket: /run/zg/p.sock}\nadmin: {port: 8080}"
        assert settings(text).admin.port == 8080
