"""An application to become a partner: the document that holds all of it, as it is kept in `applications`.

Personal data (persons' names, phones, mail addresses, accounts, identity numbers) is here and nowhere else, and is
marked as such (contracts/personal.py).
"""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from contracts.base import Document, Moment, Request
from contracts.carriers import DivisionPrefix
from contracts.divisions import DivisionCode
from contracts.geo import Point
from contracts.ids import LocationId
from contracts.onboarding import ItemStanding, Standing, Verdict
from contracts.partnership import Category, PartnerKind
from contracts.personal import BankAccount as AccountText
from contracts.personal import Email, PersonName, Phone, ResidentId
from contracts.requirements import Day, ItemId, PinnedSet, RequirementSet, Words

ApplicationId = Annotated[str, StringConstraints(pattern=r"^app-[0-9a-hjkmnp-tv-z]{18}$")]
"""`app-` and what sorts by time."""
Language = Literal["zh", "en"]
MediaType = Literal["application/pdf", "image/png", "image/jpeg"]


def _no_control(value: str) -> str:
    if any(ord(character) < 0x20 or ord(character) == 0x7F for character in value):
        raise ValueError("it holds control characters; send it on one line")
    return value


Line = Annotated[
    str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True), AfterValidator(_no_control)
]
LongText = Annotated[str, StringConstraints(min_length=1, max_length=4000, strip_whitespace=True)]
PhoneNumber = Annotated[Phone, StringConstraints(pattern=r"^\+?[0-9][0-9 -]{4,24}$")]
MailAddress = Annotated[Email, StringConstraints(pattern=r"^[^@\s\x00-\x1f]+@[^@\s\x00-\x1f]+\.[^@\s\x00-\x1f.]+$")]
AccountNumber = Annotated[AccountText, StringConstraints(pattern=r"^[0-9][0-9 -]{4,38}[0-9]$")]
Person = Annotated[PersonName, StringConstraints(strip_whitespace=True), AfterValidator(_no_control)]


class ApplicationRequest(Request):
    """What an applicant says first. What is asked of it is decided by these, so they cannot be changed later."""

    kind: PartnerKind
    region: DivisionCode = Field(description="Division of the applicant's seat.")
    categories: list[Category] = Field(
        min_length=1, max_length=50, description="Categories of goods that it wants to sell, carry or serve."
    )
    language: Language = Field(default="zh", description="In which it is written to.")


class Company(Request):
    """As the business licence says."""

    name: Line
    credit_code: Annotated[str, StringConstraints(min_length=1, max_length=40)] = Field(
        description="Unified social credit code, 18 characters.", examples=["91330100799655058B"]
    )
    legal_representative: Person
    address: Line
    established_on: Day | None = None


class Contact(Request):
    """Whom the retailer talks to."""

    name: Person
    phone: PhoneNumber
    email: MailAddress


class BankAccount(Request):
    holder: Line
    bank: Line
    number: AccountNumber


class TerritoryWanted(Request):
    """Where it wants to be active."""

    prefixes: list[DivisionPrefix] = Field(min_length=1, max_length=500, description="Beginnings of division codes.")
    exclusive: bool = False


class Place(Request):
    """A shop, counter, warehouse or outlet of the applicant; of kinds that ship it becomes a location."""

    id: LocationId | None = Field(default=None, description="Left out: it is given one.")
    name: Line
    division: DivisionCode
    address: Line
    point: Point | None = None


class Signatory(Request):
    """Who signs for the applicant, in this order where they sign one after the other."""

    name: Person
    email: MailAddress
    phone: PhoneNumber | None = None


class StockFeed(Request):
    """What the applicant will tell about its stock."""

    skus: int = Field(ge=0, le=10_000_000, strict=True)
    every_minutes: int = Field(ge=1, le=100_000, strict=True)
    way: Literal["nats", "http", "webhook"] = "http"


class Fields(Request):
    """The forms. A form is sent whole; one that is left out stays as it is."""

    company: Company | None = None
    contact: Contact | None = None
    bank_account: BankAccount | None = None
    territory: TerritoryWanted | None = None
    places: list[Place] | None = Field(default=None, min_length=1, max_length=500)
    signatories: list[Signatory] | None = Field(default=None, min_length=1, max_length=5)
    stock_feed: StockFeed | None = None


class FieldsSent(Fields):
    """Forms and declarations, as an applicant sends them."""

    declarations: list[ItemId] = Field(
        default=[], max_length=50, description="Declarations that are made with this request."
    )


class Facts(Request):
    """What a document says, as the applicant types it."""

    name: Line | None = None
    credit_code: Annotated[str, StringConstraints(min_length=1, max_length=40)] | None = None
    legal_representative: Person | None = None
    scope: LongText | None = None
    number: Annotated[ResidentId, AfterValidator(_no_control)] | None = None
    valid_from: Day | None = None
    valid_until: Day | None = None
    long_term: bool = Field(default=False, description="Valid without end; then valid_until is left out.")


class SuppliedFile(Document):
    """A file as it was taken in."""

    digest: str
    """SHA-256, hex; the file is kept under it."""
    media_type: MediaType
    size: int
    """Bytes."""
    pages: int
    supplied_at: Moment


class SuppliedDocument(Document):
    file: SuppliedFile | None = None
    facts: Facts | None = None


class Declared(Document):
    """A declaration that was made: its text is in the pinned set."""

    item: str
    requirements: str
    at: Moment


class Evidence(Document):
    """One thing that was compared: where it was read, and what it said."""

    source: str
    """A path in the application (`documents.business_licence.facts.name`), or whose record (`partner:P1`,
    `division:330106`, `bank:<reference>`)."""
    value: str | None = None
    person: PersonName | None = None
    """What it said, where that is personal."""
    digest: str | None = None
    """Of the file that the facts were typed from."""


CheckName = Literal[
    "completeness",
    "credit_code",
    "division",
    "names",
    "identity_number",
    "scope",
    "validity",
    "duplicate",
    "territory",
    "stock_feed",
    "bank_account",
]


class Check(Document):
    """One result of a check by machine, about one item."""

    name: CheckName
    item: str
    verdict: Verdict
    code: str
    """What was found, stable: `ok`, `check_digit_wrong`, ..."""
    words: Words
    evidence: list[Evidence] = []
    at: Moment


class RiskTerm(Document):
    """What adds to the risk, with its points and the checks or fields that it comes from."""

    term: str
    points: int
    words: Words
    because: list[str] = []


class Risk(Document):
    score: int
    """0 to 100: the sum of the points, at most 100."""
    terms: list[RiskTerm] = []
    limit: int
    """Above it two different reviewers must approve."""
    weights: str
    """Version of the weights that were used."""

    @property
    def reviewers_needed(self) -> int:
        return 2 if self.score > self.limit else 1


DepositState = Literal["wanted", "sent", "failed", "confirmed", "refuted"]
"""wanted: written down, the bank was perhaps asked. failed: the bank refuses the account. refuted: three wrong
amounts were said."""


class Deposit(Document):
    """A few fen to the applicant's account; who can read its amount on the statement has the account."""

    number: int
    """Deposits are counted; the idempotency key at the bank is `<application>:deposit:<number>`."""
    account: BankAccount
    amount: int
    """1 to 99 fen. Never told to anybody but the bank."""
    state: DepositState = "wanted"
    reference: str | None = None
    code: str | None = None
    """Why the bank refused."""
    wanted_at: Moment
    answered_at: Moment | None = None
    tries: list[Moment] = []
    """When an amount was said that was wrong, or the right one."""


class Application(Document):
    """All of one application; who did and saw what with it is in `audit`. Whoever writes it checks `version` and counts
    it up; `standing` is written by the steps of its workflow, and, while it is the applicant's turn, by what the
    applicant supplies (states of items only)."""

    id: str
    kind: PartnerKind
    region: str
    categories: list[str]
    language: Language = "zh"
    requirements: PinnedSet
    token_hash: str
    """Hex SHA-256 of the self-service token."""
    fields: Fields = Fields()
    documents: dict[str, SuppliedDocument] = {}
    """By item."""
    uploaded_bytes: int = 0
    """Of all files that were supplied so far, also of those that others replaced."""
    declarations: dict[str, Declared] = {}
    checks: list[Check] = []
    checked_revision: int = 0
    """The revision that `checks` and `risk` are about."""
    risk: Risk | None = None
    deposits: list[Deposit] = []
    credit_code: str | None = None
    """The company's, in capitals and without blanks: by it the same applicant is found again."""
    standing: Standing
    created_at: Moment
    updated_at: Moment
    version: int = 1


def is_supplied(application: Application, requirements: RequirementSet, item_id: str) -> bool:
    """Whether all that an item asks for is there. What is there need not be right."""
    item = next(item for item in requirements.items if item.id == item_id)
    if item.kind == "declaration":
        return item.id in application.declarations
    if item.kind == "form":
        return getattr(application.fields, item.id) is not None
    document = application.documents.get(item.id)
    if document is None or document.file is None:
        return False
    facts = document.facts or Facts()
    return not [name for name in item.facts if not _given(facts, name)]


def _given(facts: Facts, name: str) -> bool:
    return getattr(facts, name) is not None or (name == "valid_until" and facts.long_term)


def standing_items(application: Application, requirements: RequirementSet) -> list[ItemStanding]:
    """How every item stands, from what is supplied: a decision stands as long as nothing new was supplied (which sets
    the state to supplied where it is written). Optional items are listed once they are supplied. Pure."""
    listed = []
    for item in requirements.asked_of(application.categories):
        known = application.standing.item(item.id)
        supplied = is_supplied(application, requirements, item.id)
        if not supplied and item.optional and known is None:
            continue
        standing = known or ItemStanding(item=item.id)
        if standing.state in ("missing", "supplied"):
            standing = standing.model_copy(update={"state": "supplied" if supplied else "missing"})
        listed.append(standing)
    return listed
