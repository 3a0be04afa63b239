"""The gateway's FastAPI application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

from infra.settings import Settings
from workers.gateway import (
    agreements,
    applications,
    articles,
    availability,
    carriers,
    codec,
    collecting,
    commands,
    customers,
    health,
    locations,
    orders,
    own_agreements,
    partner_documents,
    partners,
    policies,
    purchases,
    requirements,
    returns,
    review,
    rules,
    settlements,
    stock,
    suppliers,
    tokens,
    tracking,
    why,
)
from workers.gateway.door import Door, Traffic
from workers.gateway.headers import Headed, origin_of
from workers.gateway.limits import Limits
from workers.gateway.metrics import Measured, Metrics
from workers.gateway.openapi import document
from workers.gateway.partner import events as partner_events
from workers.gateway.partner import purchases as partner_purchases
from workers.gateway.partner import replies as partner_replies
from workers.gateway.partner import webhooks as partner_webhooks
from workers.gateway.problems import install_problems
from workers.gateway.rates import Rate
from workers.gateway.services import opened
from workers.gateway.supply import ROUTERS as SUPPLY

VERSION = "1.0.0"
_DESCRIPTION = """
Place orders, tell what lies where, and see what becomes of every order.

* **Accepted means journaled.** A 202 is given after the order is on disk; it is then carried out whatever crashes.
* **The same call twice is the same result.** Give orders ids of your own, or send an `Idempotency-Key`.
* **A refusal says what to change**: problem+json (RFC 9457) with `code`, `field` and `remedy`. It changed nothing.
* **Money** is in minor units (fen); **points** say their datum; **divisions** are GB/T 2260 or ISO 3166-2:BR codes.
"""
_TAGS = [
    {"name": "orders", "description": "Place orders and follow them."},
    {
        "name": "commands",
        "description": "Pay, cancel or redirect an order; for operators: retry, reroute, release.",
    },
    {"name": "returns", "description": "Goods that come back, or never arrived."},
    {"name": "tracking", "description": "What carriers report of parcels on their way."},
    {"name": "locations", "description": "Stores, warehouses and sellers that ship."},
    {"name": "articles", "description": "What routing and carriers must know of a SKU."},
    {"name": "stock", "description": "What lies where, and what can be promised."},
    {"name": "carriers", "description": "Where carriers go, what they ask, how long they take."},
    {"name": "policies", "description": "How orders are routed, by channel and region; versioned."},
    {"name": "settlements", "description": "Who gets what: commission rules, and statements with partners."},
    {"name": "supply", "description": "Replenishment: regions, runs, proposals, transfers between locations."},
    {"name": "purchases", "description": "Purchase orders, receipts and invoices; suppliers' scores and lead times."},
    {"name": "applications", "description": "How one becomes a partner: what is asked, and applying for it."},
    {"name": "reviews", "description": "Applications to become a partner, as reviewers see and decide them."},
    {"name": "partners", "description": "Partners: suspend, resume, renew, terminate; their keys."},
    {"name": "agreements", "description": "Agreements with partners: who has signed, the files, new links."},
    {"name": "partner", "description": "What a partner hears and answers on its own streams."},
    {"name": "codec", "description": "For the tools that operators look into workflows with."},
    {"name": "health", "description": "For those who run the system."},
]


def create_app(settings: Settings, limits: Limits | None = None) -> FastAPI:
    """Connections are opened when the app starts up and closed when it shuts down."""
    bounds, metrics, traffic = limits or limits_of(settings), Metrics(), Traffic()
    _show(traffic, metrics)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with opened(settings, bounds, metrics) as gateway:
            app.state.gateway = gateway
            yield

    # FastAPI, with the documentation page's files from here instead of from a network.
    app = FastAPIOffline(
        title="Tongqu",
        version=VERSION,
        summary="Orders to the nearest store, durably.",
        description=_DESCRIPTION,
        openapi_tags=_TAGS,
        lifespan=lifespan,
        redirect_slashes=False,
    )
    parts = (orders, why, commands, customers, returns, tracking, locations, articles, stock, availability, carriers)
    of_partners = (requirements, applications, collecting, tokens, review, partners, partner_documents, agreements)
    by_partners = (own_agreements, partner_events, partner_replies, partner_webhooks, partner_purchases)
    for part in (*parts, policies, rules, settlements, *of_partners, *by_partners, purchases, suppliers, codec, health):
        app.include_router(part.router)
    for router in SUPPLY:
        app.include_router(router)
    app.add_middleware(Door, limits=bounds, traffic=traffic)
    app.add_middleware(Headed, ui_origin=origin_of(settings.temporal_ui_url))
    app.add_middleware(Measured, metrics=metrics)
    install_problems(app)
    app.openapi = lambda: document(app)  # type: ignore[method-assign]
    return app


def limits_of(settings: Settings) -> Limits:
    return Limits(
        orders_per_request=settings.batch_request_max,
        lines_per_order=settings.order_lines_max,
        backlog_orders=settings.backlog_max,
        calls=Rate(settings.key_calls_per_s, settings.key_calls_burst),
        partner_calls=Rate(settings.partner_calls_per_s, settings.partner_calls_burst),
        keyless_calls=Rate(settings.keyless_calls_per_s, settings.keyless_calls_burst),
        guesses=Rate(settings.key_guesses_per_s, settings.key_guesses_burst),
        webhook_private=settings.webhook_private,
    )


def _show(traffic: Traffic, metrics: Metrics) -> None:
    metrics.gauge("http_requests_under_way", "Requests being answered.", lambda: traffic.requests)
    metrics.gauge("http_bodies_bytes", "Bytes of the bodies of requests under way.", lambda: traffic.bytes["own"])
    metrics.gauge("http_outside_bytes", "The same, of applicants and partners.", lambda: traffic.bytes["outside"])
    metrics.gauge("http_files_bytes", "Bytes of files that are being uploaded.", lambda: traffic.bytes["file"])
    metrics.counter("http_turned_away", "Requests sent away at the door.", lambda: traffic.turned_away)
