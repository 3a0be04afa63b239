"""The PDF of an agreement, its signatures and their verification, on real files."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from io import BytesIO
from pathlib import Path

import pytest
from asn1crypto import x509
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from pyhanko.pdf_utils.generic import NameObject, StreamObject
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pypdf import PdfReader

from activities.agreements.document import pdf_of
from activities.agreements.templates import TemplateChanged, read, sums, template_for, templates
from activities.agreements.verifying import InALoop, NoRoots, roots_of, verify
from contracts.agreement_record import Content, Evidence, Party, Signer, Terms
from contracts.partnership import KINDS, PartnerKind
from workers.signature_sandbox.authority import Authority
from workers.signature_sandbox.signing import sign

NOW = datetime(2026, 11, 23, tzinfo=UTC)
RETAILER = Party(
    name="通衢示范零售有限公司", credit_code="91330100MA2TQDEM32", address="杭州市", represented_by="李运营"
)
PARTNER = Party(
    name="杭州茶庄有限公司", credit_code="91330100799655058B", address="杭州市西湖区", represented_by="王芳"
)
SIGNERS = [
    Signer(id="partner-1", role="legal_representative", order=1, name="王芳", organisation=PARTNER.name),
    Signer(id="partner-2", role="second", order=2, name="赵敏", organisation=PARTNER.name),
    Signer(id="retailer", role="retailer", order=3, way="seal", name="李运营", organisation=RETAILER.name),
]


def pages(pdf: bytes) -> list[str]:
    """The text of each page, without blanks, because lines are broken where they fit."""
    return ["".join(page.extract_text().split()) for page in PdfReader(BytesIO(pdf)).pages]


def content(kind: PartnerKind = "franchise", **changes: object) -> Content:
    usual = template_for(kind).defaults.model_dump()
    terms = Terms.model_validate({"kind": kind, "territory": ["3301"], "categories": ["food"], **usual, **changes})
    return Content(
        agreement="app-1-a1",
        template=template_for(kind).pinned,
        retailer=RETAILER,
        partner=PARTNER,
        terms=terms,
        areas=["杭州市 (3301)"],
        categories=["食品 Food"],
        signers=[(signer.role, signer.name) for signer in SIGNERS],
    )


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_template_with_all_clauses_in_both_languages(kind: PartnerKind) -> None:
    text = "".join(pages(pdf_of(content(kind))))
    template = template_for(kind)
    for words in (template.title.zh, template.title.en, PARTNER.name, RETAILER.name, "91330100799655058B", "赵敏"):
        assert "".join(words.split()) in text
    assert "{" not in text


def test_terms_are_in_the_text_and_choose_its_clauses() -> None:
    exclusive = "".join(pages(pdf_of(content(exclusive=True, commission_bp=1250, term_months=24, notice_days=45))))
    for words in (
        "独家Exclusive是Yes",
        "12.50%",
        "24个月months",
        "45日days",
        "独家开展本协议约定的业务",
        "杭州市(3301)",
    ):
        assert words in exclusive, (words, exclusive)
    assert "该授权不具排他性" not in exclusive
    renewal = "".join(pages(pdf_of(content(renews="app-0-a1", begins=NOW))))
    assert "本协议续展协议app-0-a1" in renewal
    assert "本协议自最后一方签署之日起生效" not in renewal


def test_the_same_content_makes_the_same_bytes() -> None:
    assert pdf_of(content()) == pdf_of(content())
    assert pdf_of(content()) != pdf_of(content(notice_days=61))


def test_a_long_territory_is_not_cut_off() -> None:
    areas = [f"区域{number}号 (33{number:04d})" for number in range(500)]
    text = "".join(pages(pdf_of(content().model_copy(update={"areas": areas}))))
    assert all(f"区域{number}号" in text for number in range(500))


@settings(max_examples=15, deadline=None)
@given(st.text("#*$()[]{}_@<>/-+=~%&!?.,:;|^0123456789\\", max_size=12))
def test_a_name_is_shown_and_never_obeyed(marks: str) -> None:
    """`#`, `*`, `$`, brackets and the like are markup for the program that sets the document."""
    name = f"<{marks}#eval(1)*x*$y$>"
    made = content().model_copy(update={"partner": PARTNER.model_copy(update={"name": name})})
    assert name in "".join(pages(pdf_of(made)))


def test_every_file_of_a_template_has_its_pinned_sum() -> None:
    """A version never changes: whoever edits a file is told to make a new one."""
    folder = Path(__file__).parents[2] / "activities/agreements/templates"
    assert {path.name for path in folder.iterdir()} - {"SUMS"} == set(sums())
    for name in sums():
        assert read(name) == (folder / name).read_bytes()
    assert {template.kind for template in templates().values()} == set(KINDS)


def test_a_template_that_was_changed_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    read.cache_clear()
    monkeypatch.setitem(sums(), "layout-1.typ", "0" * 64)
    with pytest.raises(TemplateChanged, match=r"layout-1\.typ"):
        pdf_of(content())
    read.cache_clear()


# Signatures.


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@cache
def base() -> bytes:
    return pdf_of(content())


def signed(authority: Authority, pdf: bytes, signers: Sequence[Signer] = SIGNERS) -> bytes:
    for signer in signers:
        certificate, key = authority.issue(signer.name, signer.organisation)
        pdf = sign(pdf, signer.id, certificate, key, authority)
    return pdf


@pytest.fixture(scope="module")
def whole(authority: Authority) -> bytes:
    return signed(authority, base())


def looked_over(pdf: bytes, authority: Authority, signers: Sequence[Signer] = SIGNERS) -> Evidence:
    return verify(pdf, sum_of_base(), len(base()), signers, roots(authority), NOW)


def roots(authority: Authority) -> list[x509.Certificate]:
    return roots_of(authority.root_pem)


def sum_of_base() -> str:
    return hashlib.sha256(base()).hexdigest()


def test_what_all_have_signed_is_verified_with_its_evidence(authority: Authority, whole: bytes) -> None:
    evidence = looked_over(whole, authority)
    assert evidence.findings == []
    assert [one.signer for one in evidence.signatures] == ["partner-1", "partner-2", "retailer"]
    for one in evidence.signatures:
        assert one.intact and one.valid and one.anchored and one.timestamped and one.signed_at is not None
    assert [one.coverage for one in evidence.signatures] == ["ENTIRE_REVISION", "ENTIRE_REVISION", "ENTIRE_FILE"]
    assert "王芳" in evidence.signatures[0].subject
    assert evidence.base_sha256 == sum_of_base()


def test_a_signature_that_lacks_or_is_one_too_many_is_found(authority: Authority, whole: bytes) -> None:
    assert looked_over(signed(authority, base(), SIGNERS[:2]), authority).findings == ["signature_missing"]
    assert looked_over(whole, authority, SIGNERS[1:]).findings == ["signature_unexpected"]
    assert "signature_missing" in looked_over(base(), authority).findings


def test_another_document_with_good_signatures_is_found(authority: Authority) -> None:
    other = signed(authority, pdf_of(content(commission_bp=1)))
    assert "not_the_pinned_document" in looked_over(other, authority).findings


def test_a_certificate_of_another_authority_is_found(authority: Authority, tmp_path: Path) -> None:
    foreign = looked_over(signed(Authority(tmp_path), base()), authority)
    assert {"certificate_untrusted", "timestamp_invalid"} <= set(foreign.findings)


def test_a_certificate_made_out_to_somebody_else_is_found(authority: Authority) -> None:
    stranger = SIGNERS[0].model_copy(update={"name": "张三", "organisation": "别的公司"})
    evidence = looked_over(signed(authority, base(), [stranger, *SIGNERS[1:]]), authority)
    assert evidence.findings == ["signer_differs"]


def _scribbled(pdf: bytes) -> bytes:
    """With another content on its first page, in a revision of its own."""
    writer = IncrementalPdfFileWriter(BytesIO(pdf))
    page = writer.root["/Pages"]["/Kids"][0]
    page[NameObject("/Contents")] = writer.add_object(StreamObject(stream_data=b"BT ET"))
    writer.update_container(page)
    made = BytesIO()
    writer.write(made)  # type: ignore[no-untyped-call]
    return made.getvalue()


def test_what_was_changed_after_signing_is_found(authority: Authority, whole: bytes) -> None:
    evidence = looked_over(_scribbled(whole), authority)
    assert {"changed_after_signing", "not_covered"} <= set(evidence.findings)


def test_what_was_changed_before_the_first_signature_is_found(authority: Authority) -> None:
    """The file begins with the pinned bytes, every signature is good and covers its revision: and yet they signed
    something else."""
    evidence = looked_over(signed(authority, _scribbled(base())), authority)
    assert evidence.base_sha256 == sum_of_base()
    assert all(one.intact and one.valid for one in evidence.signatures)
    assert evidence.findings == ["changed_after_signing"]


def gaps(pdf: bytes) -> list[range]:
    """Where signatures lie. What they carry beside the signature itself, such as certificates, no signature covers."""
    found = (signature.byte_range for signature in PdfFileReader(BytesIO(pdf)).embedded_regular_signatures)
    return [range(int(start + length), int(end)) for start, length, end, _ in found]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0), bit=st.integers(0, 7))
def test_one_flipped_bit_anywhere_is_found(authority: Authority, whole: bytes, place: int, bit: int) -> None:
    at = place % len(whole)
    assume(not any(at in gap for gap in gaps(whole)))
    flipped = bytearray(whole)
    flipped[at] ^= 1 << bit
    assert looked_over(bytes(flipped), authority).findings != []


@given(st.binary(max_size=300))
def test_what_is_no_pdf_is_found(authority: Authority, noise: bytes) -> None:
    assert "unreadable" in looked_over(noise, authority).findings


async def test_it_does_not_keep_an_event_loop_waiting(authority: Authority, whole: bytes) -> None:
    with pytest.raises(InALoop):
        looked_over(whole, authority)


def test_without_roots_nothing_can_be_verified() -> None:
    for content_of_file in (b"", b"nothing", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"):
        with pytest.raises(NoRoots):
            roots_of(content_of_file)
