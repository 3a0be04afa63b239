"""What workflows may not do: decisions as pure functions, and I/O as methods with their clients passed in."""
