"""What the gateway bounds: sizes of requests, how long it gathers, and how much it holds in memory."""

from dataclasses import dataclass

from workers.gateway.rates import Rate

_CALLS = Rate(5_000, 10_000)
_PARTNER_CALLS = Rate(50, 200)
_KEYLESS_CALLS = Rate(1, 30)
_GUESSES = Rate(10, 100)
_DOCUMENTS = Rate(1 / 1800, 20)


@dataclass(frozen=True, slots=True)
class Limits:
    """Times say their unit in the name."""

    body_bytes: int = 8 * 1024 * 1024
    gather_ms: float = 3.0
    """How long an order waits for others before they are written together."""
    gather_orders: int = 500
    waiting_orders: int = 20_000
    """Orders in memory that are not written yet; beyond them callers are sent away for a while."""
    writes_at_once: int = 4
    orders_per_request: int = 1000
    items_per_request: int = 1000
    """Locations or stock levels in one request."""
    lines_per_order: int = 200
    key_kept_s: float = 0.5
    """How long a key that was revoked may still be used."""
    calls: Rate = _CALLS
    """Of one key of the retailer's own systems, in this process."""
    partner_calls: Rate = _PARTNER_CALLS
    """Of one key that belongs to a partner."""
    keyless_calls: Rate = _KEYLESS_CALLS
    """From one address, to what needs no key."""
    guesses: Rate = _GUESSES
    """From one address, with keys that are none."""
    listeners: int = 1_000
    """Event streams and waiting calls that are open at once in this process."""
    listeners_per_key: int = 20
    catching_up: int = 2
    """Streams that read what was told long ago, at one time; others of that kind wait for them, and nobody else."""
    heartbeat_s: float = 15.0
    """A stream on which nothing happens says so that often, so that nothing between takes it for dead."""
    listener_stalled_s: float = 20.0
    """After so long without reading what lies ready for it, a listener is cut off."""
    webhooks_per_stream: int = 5
    webhook_private: bool = False
    """Whether webhooks may go to private addresses, and without TLS."""
    key_taken_over_s: float = 15.0
    """After how long an idempotency key whose request never ended may be used again. So long an order rests that was on
    its way when a gateway died. One that only took longer does no harm: both would do the same, once."""
    backlog_orders: int = 50_000
    """Accepted orders that no batch has claimed yet; beyond them callers are sent away until most of them are."""
    backlog_rows: int = 20_000
    """Rows of the outbox, each of some step's events, that are not in the stream yet; beyond them no orders are taken
    either."""
    requests_at_once: int = 2_000
    bodies_bytes: int = 32 * 1024 * 1024
    """Of all requests of the retailer's own systems under way. Parsed, a body takes about ten times its size."""
    outside_bytes: int = 16 * 1024 * 1024
    """Of all those of applicants and partners, but for files."""
    files_bytes: int = 96 * 1024 * 1024
    """Of all files that are being uploaded or looked into, which takes no more than their size."""
    documents: Rate = _DOCUMENTS
    """Files by one partner's key: each is kept for good."""
    body_within_s: float = 30.0
    """From the end of a request's head to the end of its body."""
    head_within_s: float = 10.0
    """From a connection's or request's first byte to the end of its head."""
    head_bytes: int = 64 * 1024
    connections: int = 4_000
    store_away_s: float = 5.0
    """After so long without an answer from the database requests are refused at the door."""
    wait_s: int = 30
    """The most that `Prefer: wait` waits."""
    store_tries_s: float = 5.0
    """How long a write is tried again while the database changes its primary."""
