"""A test authority: a root certificate made at the first start, certificates for signers, and one for timestamps.

Nobody checks who a signer is, and all keys lie with the provider: what is signed here proves nothing to others.
"""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from asn1crypto import keys as asn1_keys
from asn1crypto import pem as asn1_pem
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
CA_FILE: Final = "ca.pem"
_ROOT_VALID = timedelta(days=3650)
_VALID = timedelta(days=1095)
_EARLIER = timedelta(minutes=5)
"""Clocks differ a little: a certificate is valid from before its making."""
_NAME_MAX = 64
"""Of a common name and an organisation (RFC 5280, appendix A.1: ub-common-name, ub-organization-name)."""


class Authority:
    """Blocking: makes files and keys. One process at a time in a folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        if not (folder / CA_FILE).exists():
            self._found()
        self._root = x509.load_pem_x509_certificate((folder / CA_FILE).read_bytes())
        self._key = _load_key((folder / "ca.key").read_bytes())

    @property
    def root_pem(self) -> bytes:
        return self._root.public_bytes(serialization.Encoding.PEM)

    def _found(self) -> None:
        """Make the root and the timestamp's certificate. The root's certificate is written last."""
        now = datetime.now(UTC)
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name("Tongqu Sandbox Test CA", "Tongqu Sandbox - test use only")
        root = (
            _builder(name, name, key, now, _ROOT_VALID)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
            .sign(key, hashes.SHA256())
        )
        stamp_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        stamper = _name("Tongqu Sandbox Test TSA", "Tongqu Sandbox - test use only")
        stamp = (
            _builder(stamper, name, stamp_key, now, _ROOT_VALID)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(digital_signature=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
            .sign(key, hashes.SHA256())
        )
        for file, content in (
            ("tsa.key", _key_pem(stamp_key)),
            ("tsa.pem", stamp.public_bytes(serialization.Encoding.PEM)),
            ("ca.key", _key_pem(key)),
            (CA_FILE, root.public_bytes(serialization.Encoding.PEM)),
        ):
            _write(self._folder / file, content)

    def issue(self, name: str, organisation: str) -> tuple[bytes, bytes]:
        """A certificate for a signer and its key, both PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        made = (
            _builder(_name(name, organisation), self._root.subject, key, datetime.now(UTC), _VALID)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(digital_signature=True, content_commitment=True), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        return made.public_bytes(serialization.Encoding.PEM), _key_pem(key)

    def stamp_identity(self) -> tuple[asn1_x509.Certificate, asn1_keys.PrivateKeyInfo]:
        """Certificate and key of the timestamps."""
        key = (self._folder / "tsa.key").read_bytes()
        return certificate_of((self._folder / "tsa.pem").read_bytes()), key_of(key)

    def root(self) -> asn1_x509.Certificate:
        return certificate_of(self.root_pem)


def certificate_of(pem: bytes) -> asn1_x509.Certificate:
    return asn1_x509.Certificate.load(asn1_pem.unarmor(pem)[2])


def key_of(pem: bytes) -> asn1_keys.PrivateKeyInfo:
    return asn1_keys.PrivateKeyInfo.load(asn1_pem.unarmor(pem)[2])


def _name(common: str, organisation: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation[:_NAME_MAX]),
            x509.NameAttribute(NameOID.COMMON_NAME, common[:_NAME_MAX]),
        ]
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: PrivateKey, now: datetime, valid: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _EARLIER)
        .not_valid_after(now + valid)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(**wanted: bool) -> x509.KeyUsage:
    names = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{name: wanted.get(name, False) for name in names})


def _key_pem(key: PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _load_key(pem: bytes) -> PrivateKey:
    key = serialization.load_pem_private_key(pem, None)
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise ValueError("the authority's key is of no kind that it makes")
    return key


def _write(path: Path, content: bytes) -> None:
    new = path.with_suffix(path.suffix + ".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    new.replace(path)
