"""Everything the gateway's handlers use, opened together and closed in the right order."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fastapi import Request
from nats.aio.client import Client as Nats
from nats.js import JetStreamContext

from activities.onboarding.requirements import RequirementBook
from activities.orders.policies import Policies
from activities.stock.desk import StockDesk
from infra.access import PartnerAccess
from infra.agreements import Agreements
from infra.applications import Applications
from infra.cases import Cases
from infra.ending import ended
from infra.hearing import Hearing
from infra.keyring import Keyring, keyring
from infra.mongo import Mongo
from infra.nats import connect_by
from infra.sealing import Sealing
from infra.settings import Settings
from infra.uploads import Inspector
from workers.gateway.accept import Acceptance
from workers.gateway.headers import origin_of
from workers.gateway.holds import Holds
from workers.gateway.idempotency import Idempotency
from workers.gateway.limits import Limits
from workers.gateway.listeners import Listeners
from workers.gateway.metrics import Metrics
from workers.gateway.oneatatime import OneAtATime
from workers.gateway.pressure import Pressure
from workers.gateway.rates import Rates
from workers.gateway.refusals import Refusals
from workers.gateway.security import Keys
from workers.gateway.skus import Skus
from workers.gateway.temporal import Durable
from workers.gateway.views import Workflows
from workers.gateway.wakes import Wakes


@dataclass(frozen=True, slots=True)
class Gateway:
    """One object per process."""

    limits: Limits
    mongo: Mongo
    nats: Nats
    js: JetStreamContext
    hearing: Hearing
    keys: Keys
    calls: Rates
    partner_calls: Rates
    keyless: Rates
    guesses: Rates
    documents: Rates
    listeners: Listeners
    refusals: Refusals
    wakes: Wakes
    skus: Skus
    acceptance: Acceptance
    pressure: Pressure
    policies: Policies
    holds: Holds
    idempotency: Idempotency
    stock: StockDesk
    workflows: Workflows
    durable: Durable
    metrics: Metrics
    keyring: Keyring
    sealing: Sealing
    applications: Applications
    agreements: Agreements
    cases: Cases
    book: RequirementBook
    inspector: Inspector
    uploads: OneAtATime
    access: PartnerAccess
    signature_secret: str | None
    """Of the signature provider's callbacks."""
    ui_origin: str | None
    """Of Temporal's UI, whose pages may ask the codec."""


@asynccontextmanager
async def opened(settings: Settings, limits: Limits, metrics: Metrics) -> AsyncIterator[Gateway]:
    mongo = Mongo(settings.require("mongo_url"), settings.mongo_database)
    await mongo.clock.start()
    nats = await connect_by(settings, "gateway")
    gateway = _wired(settings, limits, metrics, mongo, nats)
    running = (
        mongo.clock.run(),
        gateway.wakes.run(),
        gateway.refusals.run(),
        gateway.pressure.run(),
        gateway.listeners.run(),
    )
    loops = [asyncio.create_task(loop) for loop in running]
    try:
        yield gateway
    finally:
        await gateway.acceptance.groups.close()
        await gateway.idempotency.close()
        await gateway.inspector.close()
        await ended(loops)
        await gateway.wakes.publish()
        await gateway.refusals.flush()
        await gateway.access.close()
        await nats.close()
        mongo.close()


def _wired(settings: Settings, limits: Limits, metrics: Metrics, mongo: Mongo, nats: Nats) -> Gateway:
    js, keys_of_data = nats.jetstream(), keyring(settings)
    keys, sealing = Keys(mongo, limits.key_kept_s), Sealing(keys_of_data)
    wakes, skus, policies = Wakes(js), Skus(mongo, limits), Policies(mongo)
    acceptance = Acceptance(mongo, wakes, limits)
    pressure = Pressure(mongo, limits, acceptance)
    _show(acceptance, pressure, metrics)
    return Gateway(
        limits=limits,
        mongo=mongo,
        nats=nats,
        js=js,
        hearing=Hearing(nats),
        keys=keys,
        calls=Rates(limits.calls, "too_many_requests"),
        partner_calls=Rates(limits.partner_calls, "too_many_requests"),
        keyless=Rates(limits.keyless_calls, "too_many_requests"),
        guesses=Rates(limits.guesses, "too_many_requests"),
        documents=Rates(limits.documents, "too_many_requests"),
        listeners=Listeners(keys, limits),
        refusals=Refusals(mongo),
        wakes=wakes,
        skus=skus,
        acceptance=acceptance,
        pressure=pressure,
        policies=policies,
        holds=Holds(mongo, policies),
        idempotency=Idempotency(mongo, limits, keys_of_data),
        stock=StockDesk(mongo),
        workflows=Workflows(settings.temporal_ui_url, settings.temporal_namespace),
        durable=Durable(settings),
        metrics=metrics,
        book=RequirementBook(mongo),
        inspector=Inspector(),
        uploads=OneAtATime(),
        keyring=keys_of_data,
        sealing=sealing,
        applications=Applications(mongo, sealing),
        agreements=Agreements(mongo, sealing),
        cases=Cases(mongo, sealing),
        access=PartnerAccess(mongo, settings),
        signature_secret=settings.signature_secret,
        ui_origin=origin_of(settings.temporal_ui_url),
    )


def _show(acceptance: Acceptance, pressure: Pressure, metrics: Metrics) -> None:
    metrics.counter("orders_accepted", "Orders written by this process.", lambda: acceptance.accepted)
    metrics.gauge("orders_waiting", "Orders in memory, not written yet.", lambda: acceptance.waiting)
    metrics.gauge("backlog_orders", "Accepted orders that no batch has yet.", lambda: pressure.orders.waiting)
    metrics.gauge("backlog_outbox_rows", "Rows of events that no relay has sent.", lambda: pressure.rows.waiting)
    metrics.gauge("backlog_orders_per_second", "Orders carried off lately.", lambda: pressure.orders.per_s or 0.0)
    metrics.gauge("backlog_full", "1 while no orders are taken.", lambda: float(pressure.full))


def gateway_of(request: Request) -> Gateway:
    gateway: Gateway = request.app.state.gateway
    return gateway
