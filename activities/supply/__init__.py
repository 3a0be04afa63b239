"""Replenishment: what will be asked for, how much should lie where, and what to move and to buy for it."""
