"""Which workflows a worker of a room carries.

Not in the package itself: each run that is replayed in a sandbox of its own would load all of them.
"""

from workflows.agreement import AgreementSigning
from workflows.buying import PurchaseOrder
from workflows.case import ServiceCase
from workflows.dispute import ScoreDispute
from workflows.fulfilment import OrderFulfilment
from workflows.lifecycle import PartnerLifecycle
from workflows.onboarding import PartnerOnboarding
from workflows.replenishment import Replenishment, SupplyOrdering
from workflows.returns import OrderReturn
from workflows.settlement import Settlement, Settlements
from workflows.transfer import StockTransfer

WORKFLOWS = [OrderFulfilment, OrderReturn]
SETTLEMENT_WORKFLOWS = [Settlement, Settlements]
BUYING_WORKFLOWS = [PurchaseOrder, ScoreDispute]
AGREEMENT_WORKFLOWS = [AgreementSigning]
SERVICE_WORKFLOWS = [ServiceCase]
PARTNER_WORKFLOWS = [PartnerOnboarding, PartnerLifecycle, *AGREEMENT_WORKFLOWS]
SUPPLY_WORKFLOWS = [Replenishment, SupplyOrdering, StockTransfer]
