"""Carriers of our own: a real HTTP process with durable state, for the demo and for tests.

It is all carriers of `infra.demo_carriers` at once: books labels, each once for its key, voids them, and moves parcels
along by its clock, telling the gateway of every scan in the carrier's own codes until it has been taken.
"""
