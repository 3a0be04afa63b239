"""Who may do what on the bus: subjects, permissions and limits of each kind of account and user. Pure.

Every partner has an account of its own on the server and reaches the events' account through services that its
account imports: its own consumers, their acknowledgements, its own replies. One account for all with permissions on
subjects is not enough: the server sends an answer wherever the request's reply subject says, with its own rights, so
that a partner that may ask anything could have `$JS.API.STREAM.DELETE.EVENTS` answered to. Across accounts the answer
can only go back into the account that asked. See docs/adr/0007-an-account-for-each-partner.md.
"""

from collections.abc import Mapping, Sequence

from contracts.subjects import EVENTS, partner_consumer, reply_subject
from infra.nats_jwt import UNLIMITED, Allowed, Claims, Service, account_claims

CONNECTIONS_MAX = 16
"""Of one partner at one time, all its credentials together."""
PAYLOAD_MAX = 1024 * 1024
"""Bytes in one message of a partner; 500 replies are a tenth of it."""
STREAMS_MAX = 300
"""Of one partner: its account is one token, of which the server takes a mebibyte, and ten lines of it are about each
stream."""
TRIAL_INBOX = "_INBOX_trial"
SYSTEM_INBOX = "_INBOX_desk"
_INFO = f"$JS.API.CONSUMER.INFO.{EVENTS}"
_INFO_LOCAL = "info.v1"
"""An account that has no streams of its own gets an error from the server to any `$JS.API.` request, beside what it
imports, and sooner. So this one has another name in a partner's account; its clients notice nothing."""
_INBOXES = 8
"""Subscriptions of one connection beyond one for each stream."""


def partner_inbox(partner: str) -> str:
    """The prefix of a partner's inbox. Its client must use it: nobody may subscribe to the common `_INBOX.`"""
    return f"_INBOX_{partner}"


def _next(consumer: str) -> Service:
    return Service(f"$JS.API.CONSUMER.MSG.NEXT.{EVENTS}.{consumer}", streams=True)


def _services(consumer: str, reply: str) -> tuple[Service, ...]:
    """What a partner asks of the events' account, for one consumer, or for all with `*`.

    Acknowledgements have two forms (ADR-15): servers answer to the first, and one with `js_ack_fc_v2` to the second,
    which has a domain and a hash of the account before the stream.
    """
    below = "" if consumer == "*" else f".{consumer}"
    return (
        _next(consumer),
        Service(f"{_INFO}.{consumer}", local=f"{_INFO_LOCAL}.{consumer}"),
        Service(f"$JS.ACK.{EVENTS}{below}.>"),
        Service(f"$JS.ACK.*.*.{EVENTS}{below}.>"),
        Service(reply),
    )


OFFERED: tuple[Service, ...] = _services("*", reply_subject("*"))
"""What the events' account offers to the partners' accounts. Which of it one may ask for is in that one's account,
which the operator signs."""


def services_of(streams: Sequence[str]) -> list[Service]:
    return [service for stream in streams for service in _services(partner_consumer(stream), reply_subject(stream))]


def partner_allowed(partner: str, streams: Sequence[str]) -> Allowed:
    """Every user of a partner: the same subjects as its account imports, and its private inbox."""
    return Allowed(
        publish=[service.local or service.subject for service in services_of(streams)],
        subscribe=[f"{partner_inbox(partner)}.>"],
        subscriptions=len(streams) + _INBOXES,
        payload=PAYLOAD_MAX,
    )


def partner_account(
    public: str, partner: str, streams: Sequence[str], *, events: str, signing_key: str, revoked: Mapping[str, int]
) -> Claims:
    """`events` is the public key of the account that has the streams; `revoked` as in `account_claims`."""
    return account_claims(
        public,
        f"partner {partner}",
        connections=CONNECTIONS_MAX,
        payload=PAYLOAD_MAX,
        scope=(signing_key, partner_allowed(partner, streams)),
        imports=[(events, service) for service in services_of(streams)],
        mappings={f"{_INFO}.*": f"{_INFO_LOCAL}.$1"},
        revoked=revoked,
    )


TRIAL = Allowed(
    publish=[
        *(service.subject for service in OFFERED),
        f"$JS.API.CONSUMER.LIST.{EVENTS}",
        f"$JS.API.CONSUMER.NAMES.{EVENTS}",
    ],
    subscribe=[f"{TRIAL_INBOX}.>"],
    subscriptions=UNLIMITED,
)
"""A store agent that answers for every location, in trials on one machine. Never given away."""
SYSTEM = Allowed(
    publish=["$SYS.REQ.CLAIMS.UPDATE"],
    subscribe=[f"{SYSTEM_INBOX}.>"],
)
"""Whoever issues credentials, in the system account."""
