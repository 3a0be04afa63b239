"""Looks a signed PDF over: is it the document that was to be signed, with all signatures and nothing else?

Pure: bytes in, evidence out. Takes some tenths of a second, and pyHanko runs an event loop of its own for it.
"""

import asyncio
import hashlib
import logging
from collections.abc import Sequence
from datetime import datetime
from io import BytesIO

from asn1crypto import parser, pem, x509
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.diff_analysis import ModificationLevel
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature
from pyhanko.sign.validation.status import PdfSignatureStatus, SignatureCoverageLevel
from pyhanko_certvalidator import ValidationContext

from activities.agreements.growth import changes
from contracts.agreement_record import Evidence, Finding, SignatureEvidence, Signer
from contracts.base import milliseconds

log = logging.getLogger(__name__)
_NAME_MAX = 64
"""Certificates cut longer names off (RFC 5280, appendix A.1)."""


class NoRoots(Exception):
    """There is no certificate to trust; set TONGQU_SIGNATURE_ROOTS."""


class InALoop(RuntimeError):
    """It would stop an event loop for tenths of a second."""


def roots_of(content: bytes) -> list[x509.Certificate]:
    """The certificates of a PEM file. Raises NoRoots."""
    try:
        found = [x509.Certificate.load(der) for kind, _, der in pem.unarmor(content, True) if kind == "CERTIFICATE"]
    except ValueError as error:
        raise NoRoots("the file of the root certificates is no PEM") from error
    if not found:
        raise NoRoots("the file of the root certificates holds none")
    return found


def verify(
    pdf: bytes, digest: str, size: int, signers: Sequence[Signer], roots: Sequence[x509.Certificate], now: datetime
) -> Evidence:
    """`digest` and `size` (bytes): of the document that was to be signed, which the signed file must begin with.

    What is wrong is listed as findings of the evidence; it never raises for a file that is bad. Raises InALoop where
    an event loop runs in this thread.
    """
    if asyncio._get_running_loop() is not None:
        raise InALoop("verify in a thread of its own")
    evidence = Evidence(
        verified_at=now,
        base_sha256=hashlib.sha256(pdf[:size]).hexdigest(),
        sha256=hashlib.sha256(pdf).hexdigest(),
        bytes=len(pdf),
        roots=[root.sha256.hex() for root in roots],
    )
    findings: list[Finding] = []
    if evidence.base_sha256 != digest:
        findings.append("not_the_pinned_document")
    try:
        reader = PdfFileReader(BytesIO(pdf))
        findings += changes(reader, pdf[:size])
        found = {one.field_name: one for one in reader.embedded_regular_signatures}
        for signer in signers:
            if signer.id in found:
                looked, wrong = _look(pdf, found[signer.id], signer, roots)
                evidence.signatures.append(looked)
                findings += wrong
            else:
                findings.append("signature_missing")
        if set(found) - {signer.id for signer in signers}:
            findings.append("signature_unexpected")
        if not _ends_with_a_signature(reader):
            findings.append("not_covered")
    except Exception as error:  # A file from outside may be broken in ways that no list of errors holds.
        log.warning("a signed file cannot be read: %s", type(error).__name__)
        findings.append("unreadable")
    evidence.findings = sorted(set(findings))
    return evidence


def _look(
    pdf: bytes, embedded: EmbeddedPdfSignature, signer: Signer, roots: Sequence[x509.Certificate]
) -> tuple[SignatureEvidence, list[Finding]]:
    """Against the given roots alone: the machine's own store is not asked, nothing is fetched."""
    status = validate_pdf_signature(
        embedded, ValidationContext(trust_roots=roots), ValidationContext(trust_roots=roots)
    )
    stamp = status.timestamp_validity
    signed_at = stamp.timestamp if stamp is not None else status.signer_reported_dt
    evidence = SignatureEvidence(
        signer=signer.id,
        subject=status.signing_cert.subject.human_friendly,
        certificate_sha256=status.signing_cert.sha256.hex(),
        digest_algorithm=status.md_algorithm,
        signed_at=milliseconds(signed_at) if signed_at else None,
        timestamped=stamp is not None,
        intact=status.intact,
        valid=status.valid,
        anchored=status.trusted,
        coverage=(status.coverage or SignatureCoverageLevel.UNCLEAR).name,
        changes_after=status.modification_level.name if status.modification_level is not None else "SUSPICIOUS",
    )
    wrong = _findings(status, signer)
    return evidence, wrong if _is_plain(pdf, embedded) else [*wrong, "signature_broken"]


def _is_plain(pdf: bytes, embedded: EmbeddedPdfSignature) -> bool:
    """Whether the gap that a signature leaves for itself holds it in hexadecimal, then zeros, and nothing else. No
    signature covers its own gap, and readers pass over what else is in it."""
    start, length, end, _ = (int(number) for number in embedded.byte_range)
    content = bytes(embedded.pkcs7_content)
    if any(content[parser.peek(content) :]):
        return False
    written = content.hex().encode()
    return pdf[start + length : end] in (b"<%b>" % written, b"<%b>" % written.upper())


def _findings(status: PdfSignatureStatus, signer: Signer) -> list[Finding]:
    stamp, level = status.timestamp_validity, status.modification_level
    wrong: dict[Finding, bool] = {
        "signature_broken": not (status.intact and status.valid),
        "certificate_untrusted": not status.trusted,
        "timestamp_invalid": stamp is not None and not (stamp.intact and stamp.valid and stamp.trusted),
        "changed_after_signing": level is None or level > ModificationLevel.FORM_FILLING or not status.docmdp_ok,
        "not_covered": (status.coverage or SignatureCoverageLevel.UNCLEAR) < SignatureCoverageLevel.ENTIRE_REVISION,
        "signer_differs": not _names(status.signing_cert, signer),
    }
    return [finding for finding, holds in wrong.items() if holds]


def _names(certificate: x509.Certificate, signer: Signer) -> bool:
    """Whether the certificate is made out to the signer, or to its organisation's seal."""
    common = certificate.subject.native.get("common_name")
    return isinstance(common, str) and any(name[:_NAME_MAX] in common for name in (signer.name, signer.organisation))


def _ends_with_a_signature(reader: PdfFileReader) -> bool:
    """Whether the last signature, or a timestamp that was put on top of all, covers the file to its end."""
    last = reader.embedded_signatures[-1:]
    return any(one.evaluate_signature_coverage() == SignatureCoverageLevel.ENTIRE_FILE for one in last)
