"""The order path: the state machine, the routing decision and the activity that applies both to a batch."""
