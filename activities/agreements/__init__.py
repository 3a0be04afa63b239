"""Agreements with partners: drafted from a template, signed by all, verified and kept."""
