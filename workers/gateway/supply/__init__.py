"""Replenishment over HTTP: master data, runs, proposals and the transfers that come of them."""
