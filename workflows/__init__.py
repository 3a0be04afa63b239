"""The durable processes. Each module reads as the process itself; nothing here does any I/O."""
