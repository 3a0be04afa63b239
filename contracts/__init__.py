"""The language of the system: commands, events, documents and ids, each defined once."""
