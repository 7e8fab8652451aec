import gc
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.needed import program


@pytest.fixture(scope="session", autouse=True)
def small_heap() -> Iterator[None]:
    """Every test collects garbage to find what it left behind: keep libraries out of that."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="session")
def tls_files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that vouches for itself, and its key."""
    openssl = program("openssl")
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    order = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=zoom"
    extension = "subjectAltName=IP:127.0.0.1,DNS:localhost"
    files = ["-addext", extension, "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([openssl, *order.split(), *files], check=True, capture_output=True)
    return certificate, key


@pytest.fixture
def tls_pair(tls_files: tuple[Path, Path]) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The server's side, and a client's that trusts it."""
    certificate, key = tls_files
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, key)
    return server, ssl.create_default_context(cafile=str(certificate))
