"""Connections, settings, provisioning and the embedded servers."""
