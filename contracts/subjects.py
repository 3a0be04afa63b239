"""Streams, subjects and consumers of the event bus, each defined once."""

EVENTS = "EVENTS"
REPLIES = "REPLIES"
WAKE = "WAKE"
DLQ = "DLQ"

RETAILER = "retailer"
"""The partner id under which the retailer's own systems hear about orders."""

WAKE_ORDERS = "wake.orders"
WAKE_INBOX = "wake.inbox"


LETTER_SUBJECT, LETTER_REASON, LETTER_DETAIL = "Tongqu-Subject", "Tongqu-Reason", "Tongqu-Detail"
"""Headers that say where a dead letter was sent, and why it could not be taken."""


def event_subject(partner: str, event_type: str) -> str:
    """`evt.v1.<partner>.<context>.<event>`; `event_type` is `<context>.<event>.v1`."""
    return f"evt.v1.{partner}.{event_type.removesuffix('.v1')}"


def partner_filter(partner: str) -> str:
    return f"evt.v1.{partner}.>"


def reply_subject(partner: str) -> str:
    return f"reply.v1.{partner}"


def partner_of_reply(subject: str) -> str:
    return subject.removeprefix("reply.v1.")


def partner_consumer(partner: str) -> str:
    """The durable pull consumer that is made for a partner when its location is registered."""
    return f"p-{partner}"


def dead_letter_subject(stream: str) -> str:
    return f"dlq.{stream}"
