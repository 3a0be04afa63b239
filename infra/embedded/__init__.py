"""Real servers: those that a setting names are used, the others are started here on loopback ports."""

from infra.embedded.lock import AlreadyRunning
from infra.embedded.programs import ProgramNotFound
from infra.embedded.servers import Addresses, ServerFailed, Servers, embedded_servers

__all__ = ["Addresses", "AlreadyRunning", "ProgramNotFound", "ServerFailed", "Servers", "embedded_servers"]
