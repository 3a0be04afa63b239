"""Replenishment. Empty, so that a process that forecasts loads nothing but that."""
