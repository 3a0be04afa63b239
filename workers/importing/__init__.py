"""Importers: read files as streams of rows, send them through the HTTP API, and tell what became of the orders."""
