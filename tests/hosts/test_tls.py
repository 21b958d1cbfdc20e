"""TLS contexts that share what they trust: the same trust, and nobody's change reaches another."""

from __future__ import annotations

import contextlib
import datetime as dt
import ipaddress
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import certifi
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from hosts.tls import BorrowedContext, sharing

pytestmark = pytest.mark.unit


@dataclass
class Made:
    """A way to make contexts, and how often the certificates were read."""

    times: int = 0

    def __call__(self, *args: object, **more: object) -> ssl.SSLContext:
        self.times += 1
        return ssl.create_default_context(*args, **more)  # pyright: ignore[reportArgumentType]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of localhost, signed by itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    path.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


@pytest.fixture
def server(authority: Path) -> Iterator[ssl.SSLContext]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority)
    context.set_alpn_protocols(["h2", "http/1.1"])
    yield context


def shake(client: ssl.SSLContext, server: ssl.SSLContext, name: str = "localhost") -> str | None:
    """Shake hands in memory; the protocol that was agreed on."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    near = client.wrap_bio(to_client, to_server, server_hostname=name)
    far = server.wrap_bio(to_server, to_client, server_side=True)
    done: set[ssl.SSLObject] = set()
    for _ in range(10):
        for end in (near, far):
            try:
                end.do_handshake()
                done.add(end)
            except ssl.SSLWantReadError:
                pass
    assert done == {near, far}
    return near.selected_alpn_protocol()


def test_the_certificates_are_read_once_and_are_the_same() -> None:
    made = Made()
    default = sharing(made)
    first, second = default(cafile=certifi.where()), default(cafile=certifi.where())
    assert made.times == 1
    plain = ssl.create_default_context(cafile=certifi.where())
    for context in (first, second):
        assert isinstance(context, ssl.SSLContext)
        assert context.cert_store_stats() == plain.cert_store_stats()
        assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
        assert (context.options, context.minimum_version) == (plain.options, plain.minimum_version)
        assert context.get_ciphers() == plain.get_ciphers()
    assert made.times == 1
    default()
    assert made.times == 2


def test_what_is_asked_for_in_other_words_is_made_anew() -> None:
    made = Made()
    default = sharing(made)
    for _ in range(2):
        context = default(ssl.Purpose.CLIENT_AUTH)
        assert not isinstance(context, BorrowedContext)
        assert not isinstance(default(cadata=Path(certifi.where()).read_text()), BorrowedContext)
    assert made.times == 4
    assert sharing(default) is default


def test_it_trusts_whom_it_should_and_nobody_else(authority: Path, server: ssl.SSLContext) -> None:
    default = sharing(Made())
    assert shake(default(cafile=str(authority)), server) is None
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        shake(default(cafile=str(authority)), server, "example.org")
    with pytest.raises(ssl.SSLCertVerificationError, match="self-signed"):
        shake(default(cafile=certifi.where()), server)


def test_each_offers_its_own_protocols(authority: Path, server: ssl.SSLContext) -> None:
    default = sharing(Made())
    plain, one, two = (default(cafile=str(authority)) for _ in range(3))
    one.set_alpn_protocols(["http/1.1"])
    two.set_alpn_protocols(["h2"])
    for _ in range(2):
        agreed = [shake(context, server) for context in (one, plain, two)]
        assert agreed == ["http/1.1", None, "h2"]


def test_what_one_changes_is_its_own(authority: Path, server: ssl.SSLContext) -> None:
    default = sharing(Made())
    careless, careful = default(cafile=certifi.where()), default(cafile=certifi.where())
    careless.set_alpn_protocols(["h2"])
    careless.check_hostname = False
    careless.verify_mode = ssl.CERT_NONE
    assert shake(careless, server, "example.org") == "h2"
    assert careful.verify_mode == ssl.CERT_REQUIRED
    trusting = default(cafile=certifi.where())
    trusting.load_verify_locations(cafile=str(authority))
    assert shake(trusting, server) is None
    for context in (careful, default(cafile=certifi.where())):
        with pytest.raises(ssl.SSLCertVerificationError):
            shake(context, server)


def test_who_reaches_around_it_trusts_nobody(authority: Path, server: ssl.SSLContext) -> None:
    context = sharing(Made())(cafile=str(authority))
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    inner = ssl.SSLContext.wrap_bio(context, to_client, to_server, server_hostname="localhost")
    far = server.wrap_bio(to_server, to_client, server_side=True)
    with pytest.raises(ssl.SSLCertVerificationError):
        for end in (inner, far, inner):
            with contextlib.suppress(ssl.SSLWantReadError):
                end.do_handshake()
