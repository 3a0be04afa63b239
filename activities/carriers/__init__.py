"""Carriers: what they ask, what they promise, and what their scans mean."""
