"""Sends partners' events to their webhooks: each endpoint in order, one request at a time, until it answers 2xx."""
