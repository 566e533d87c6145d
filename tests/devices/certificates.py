"""A certificate authority for tests: a server's certificate, and one for each device."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from domicile.demo.postgres import own, server_account


class Authority:
    """Writes `ca.pem`, and for each name `NAME.pem` and `NAME.key`, into a directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("test authority")
        made = _builder(self._name, self._name, self._key).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        self._write("ca.pem", made.sign(self._key, hashes.SHA256()).public_bytes(PEM))

    def issue(self, name: str, *, days: int = 1) -> tuple[str, str]:
        """A certificate whose CN is that name; its file and its key's. It has ended when `days`
        is below zero."""
        key = ec.generate_private_key(ec.SECP256R1())
        made = _builder(_name(name), self._name, key, days).add_extension(_LOOPBACK, critical=False)
        self._write(f"{name}.pem", made.sign(self._key, hashes.SHA256()).public_bytes(PEM))
        self._write(
            f"{name}.key",
            key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
        )
        return str(self.directory / f"{name}.pem"), str(self.directory / f"{name}.key")

    def _write(self, name: str, content: bytes) -> None:
        path = self.directory / name
        path.write_bytes(content)
        own(path, server_account())


PEM = serialization.Encoding.PEM


_LOOPBACK = x509.SubjectAlternativeName(
    [x509.IPAddress(ip_address("127.0.0.1")), x509.DNSName("localhost")]
)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, days: int = 1
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=9))
        .not_valid_after(now + timedelta(days=days))
    )
