"""Replenishment: what will be asked for, what should lie where, and what is moved and bought for it."""
