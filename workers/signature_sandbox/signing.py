"""Puts a PAdES signature with a timestamp (B-T) on a PDF, as one more revision after those that are there."""

from io import BytesIO

from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import PdfSignatureMetadata, PdfSigner, SimpleSigner
from pyhanko.sign.fields import SigFieldSpec, SigSeedSubFilter
from pyhanko.sign.timestamps import DummyTimeStamper
from pyhanko_certvalidator.registry import SimpleCertificateStore

from workers.signature_sandbox.authority import Authority, certificate_of, key_of


def sign(pdf: bytes, field: str, certificate: bytes, key: bytes, authority: Authority) -> bytes:
    """The PDF with a signature in a new, invisible field. Takes about 0.1 s: not to be called in an event loop."""
    root = SimpleCertificateStore()  # type: ignore[no-untyped-call]
    root.register(authority.root())
    signer = SimpleSigner(certificate_of(certificate), key_of(key), root)
    stamp_certificate, stamp_key = authority.stamp_identity()
    metadata = PdfSignatureMetadata(
        field_name=field, md_algorithm="sha256", subfilter=SigSeedSubFilter.PADES, use_pades_lta=False
    )
    made = BytesIO()
    PdfSigner(
        metadata,
        signer,
        timestamper=DummyTimeStamper(stamp_certificate, stamp_key, root),
        new_field_spec=SigFieldSpec(field),
    ).sign_pdf(IncrementalPdfFileWriter(BytesIO(pdf)), output=made)
    return made.getvalue()
