"""A signature provider of our own, with a test authority: for the demo and for tests, and no more than that."""
