"""Replenishment over HTTP: master data, runs, proposals and the transfers that come of them."""

from workers.gateway.supply import history, masterdata, promotions, proposals, regions, runs, transfers

ROUTERS = (
    regions.router,
    masterdata.router,
    promotions.router,
    history.router,
    runs.router,
    proposals.router,
    transfers.router,
)
