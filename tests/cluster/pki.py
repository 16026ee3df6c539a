"""One certificate authority per cluster, and what it signs."""

import datetime
import ipaddress
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.cluster.layout import Layout

LIFETIME = datetime.timedelta(days=3650)
ADMINISTRATORS = "system:masters"


@dataclass(frozen=True)
class Identity:
    """Who a certificate speaks for.

    Attributes:
        file: the name of the key and certificate files, without their ending.
        user: the common name.
        group: the organization, if any.
        names: the DNS names and IP addresses at which it serves.
    """

    file: str
    user: str
    group: str | None = None
    names: tuple[str, ...] = ()


def identities(layout: Layout) -> list[Identity]:
    """Return every identity of the cluster, in the order in which files are written."""
    services = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")
    addresses = ("127.0.0.1", layout.node_address, layout.api_service_address)
    return [
        Identity("apiserver", "kube-apiserver", names=services + addresses),
        Identity("admin", "admin", ADMINISTRATORS),
        Identity("controller-manager", "system:kube-controller-manager"),
        Identity("scheduler", "system:kube-scheduler"),
        Identity("proxy", "system:kube-proxy"),
        Identity("router", "kube-router", ADMINISTRATORS),
        Identity("kubelet", "system:node:local", "system:nodes", ("local", layout.node_address)),
        Identity("kubelet-client", "kube-apiserver-kubelet-client", ADMINISTRATORS),
    ]


def _subject(identity: Identity) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.COMMON_NAME, identity.user)]
    if identity.group:
        parts.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, identity.group))
    return x509.Name(parts)


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _unsigned(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + LIFETIME)
    )


class Authority:
    """A self-signed certificate authority, made anew."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hallmark-test-cluster")])
        self.certificate = (
            _unsigned(name, name, self.key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(self.key, hashes.SHA256())
        )

    def sign(self, identity: Identity, key: ec.EllipticCurvePublicKey) -> x509.Certificate:
        """Return a certificate for both ends of a connection."""
        usages = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
        unsigned = _unsigned(_subject(identity), self.certificate.subject, key).add_extension(
            x509.ExtendedKeyUsage(usages), critical=False
        )
        if identity.names:
            names = [_general_name(name) for name in identity.names]
            unsigned = unsigned.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return unsigned.sign(self.key, hashes.SHA256())


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _write(folder: Path, files: Iterable[tuple[str, bytes]]) -> None:
    for name, content in files:
        path = folder / name
        path.touch(mode=0o600)
        path.write_bytes(content)


def _service_account_keys() -> list[tuple[str, bytes]]:
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return [("sa.key", _private(key)), ("sa.pub", public)]


def create(layout: Layout) -> None:
    """Write all keys and certificates, or none; keep those that are there.

    Args:
        layout: the cluster's layout; the files go into its `pki` folder.
    """
    if layout.pki.is_dir():
        return
    partial = layout.pki.with_name("pki.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(mode=0o700, parents=True)
    authority = Authority()
    pem = serialization.Encoding.PEM
    _write(partial, [("ca.crt", authority.certificate.public_bytes(pem))])
    _write(partial, [("ca.key", _private(authority.key)), *_service_account_keys()])
    for identity in identities(layout):
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = authority.sign(identity, key.public_key())
        name = identity.file
        files = [(f"{name}.key", _private(key)), (f"{name}.crt", certificate.public_bytes(pem))]
        _write(partial, files)
    os.replace(partial, layout.pki)
