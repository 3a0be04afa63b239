"""The processes that run; only here are things wired together."""
