"""Whether a signed PDF has grown out of a given one by signatures alone.

That every signature is good says only that nobody changed the file after the first one. What was put between the
document and the first signature, all signatures would cover: so the first revision after it is compared object by
object, and the later ones by pyHanko's policy (which needs a form to begin with).
"""

from io import BytesIO

from pyhanko.pdf_utils.generic import ArrayObject, DictionaryObject, PdfObject, Reference
from pyhanko.pdf_utils.reader import HistoricalResolver, PdfFileReader
from pyhanko.sign.diff_analysis import DEFAULT_DIFF_POLICY, ModificationLevel, SuspiciousModification

from contracts.agreement_record import Finding

_OF_CATALOG = frozenset({"/AcroForm", "/Extensions", "/Metadata", "/Version"})
_OF_PAGE = frozenset({"/Annots"})


def changes(reader: PdfFileReader, base: bytes) -> list[Finding]:
    """What is wrong with the way in which the file that begins with the bytes `base` goes on. Raises PdfError."""
    first = PdfFileReader(BytesIO(base)).xrefs
    last = first.total_revisions - 1
    known = reader.xrefs
    if known.total_revisions <= last or (
        known.get_startxref_for_revision(last) != first.get_startxref_for_revision(last)
    ):
        return ["not_the_pinned_document"]
    if known.total_revisions == last + 1:
        return []
    if not _only_fields(reader, last):
        return ["changed_after_signing"]
    review = DEFAULT_DIFF_POLICY.review_file(reader, last + 1)
    if isinstance(review, SuspiciousModification) or review.modification_level > ModificationLevel.FORM_FILLING:
        return ["changed_after_signing"]
    return []


def _only_fields(reader: PdfFileReader, revision: int) -> bool:
    """Whether the revision after this one changes nothing but the catalog's form, the pages' lists of fields, and the
    data about the document."""
    old, new = reader.get_historical_resolver(revision), reader.get_historical_resolver(revision + 1)
    if reader.xrefs.refs_freed_in_revision(revision + 1) or old.root_ref != new.root_ref:
        return False
    about = _about(old)
    for reference in reader.xrefs.explicit_refs_in_revision(revision + 1):
        if reader.xrefs.get_introducing_revision(reference) > revision or reference in about:
            continue
        before, after = old.get_object(reference), new.get_object(reference)
        if not (isinstance(before, DictionaryObject) and isinstance(after, DictionaryObject)):
            return False
        free = _OF_CATALOG if reference == old.root_ref else _OF_PAGE
        is_page = "/Type" in before and before["/Type"] == "/Page"
        if not (is_page or reference == old.root_ref) or not _alike(before, after, free):
            return False
    return all(_is_signature_field(field) for field in _fields(new))


def _about(resolver: HistoricalResolver) -> set[Reference]:
    """References of the document's information and metadata."""
    found = set()
    for holder, key in ((resolver.trailer_view, "/Info"), (resolver.root, "/Metadata")):
        if key in holder:
            reference = getattr(holder.raw_get(key), "reference", None)
            if reference is not None:
                found.add(reference)
    return found


def _alike(before: DictionaryObject, after: DictionaryObject, free: frozenset[str]) -> bool:
    if before.keys() - free != after.keys() - free:
        return False
    return all(_written(before.raw_get(key)) == _written(after.raw_get(key)) for key in before.keys() - free)


def _written(value: PdfObject) -> bytes:
    made = BytesIO()
    value.write_to_stream(made)
    return made.getvalue()


def _fields(resolver: HistoricalResolver) -> list[PdfObject]:
    """Annotations of all pages and fields of the form."""
    catalog = resolver.root
    found = _listed(catalog["/AcroForm"], "/Fields") if "/AcroForm" in catalog else []
    waiting = [catalog["/Pages"]]
    while waiting:
        node = waiting.pop()
        waiting += _listed(node, "/Kids")
        found += _listed(node, "/Annots")
    return found


def _listed(holder: PdfObject, key: str) -> list[PdfObject]:
    """What an array holds, references followed; none where there is no such array."""
    if not isinstance(holder, DictionaryObject) or key not in holder:
        return []
    array = holder[key]
    return [array[place] for place in range(len(array))] if isinstance(array, ArrayObject) else [array]


def _is_signature_field(field: PdfObject) -> bool:
    return isinstance(field, DictionaryObject) and "/FT" in field and field["/FT"] == "/Sig"
