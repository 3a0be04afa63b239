"""The durable processes. Each module reads as the process itself; nothing here does any I/O."""

from workflows.fulfilment import OrderFulfilment
from workflows.returns import OrderReturn

WORKFLOWS = [OrderFulfilment, OrderReturn]
