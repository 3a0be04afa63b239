"""Real servers: those that a setting names are used, the others are started here on loopback ports."""

from infra.embedded.lock import AlreadyRunning
from infra.embedded.mongo_set import MongoSet
from infra.embedded.programs import ProgramNotFound
from infra.embedded.servers import Addresses, ServerFailed, Servers, embedded_servers

__all__ = ["Addresses", "AlreadyRunning", "MongoSet", "ProgramNotFound", "ServerFailed", "Servers", "embedded_servers"]
