"""Steps of a return: decided by a pure state machine, written in one transaction."""
