"""What persons are called, where they live and how they are reached is nowhere in clear, wherever it was written."""

import logging
from typing import Any

import pytest
from temporalio.client import Client

from contracts.agreements import Command as AgreementCommand
from contracts.buying import PurchaseAsked
from contracts.buying_replies import PurchaseReply
from contracts.lifecycle import Command as LifecycleCommand
from contracts.onboarding import Command as OnboardingCommand
from contracts.purchasing import Command as PurchaseCommand
from contracts.replenishing import Approvals
from contracts.scoring import ObjectToLine
from contracts.settling import Command as SettlementCommand
from contracts.transfers import Command as TransferCommand
from infra.cases import Cases
from infra.mongo import Mongo
from infra.settings import Settings
from infra.temporal import connect
from tests.gateway.running import Api, fresh
from tests.gateway.test_cases import channel, person, service
from tests.security.leaks import database, where

__all__ = ["channel", "person", "service"]

NAME, PHONE, ADDRESS = "欧阳晓岚", "13912345678", "文三路987号5幢602室"
MAIL, RESIDENT = "ouyang.xl@example.com", "330106199003077712"
WORDS = f"我是{NAME}，电话{PHONE}，住{ADDRESS}，邮箱{MAIL}"
REACHED = f"call {PHONE} or {MAIL}, {RESIDENT}"
SECRETS = (NAME, PHONE, ADDRESS, MAIL, RESIDENT)


async def _history(client: Client, workflow: str) -> bytes:
    return (await client.get_workflow_handle(workflow).fetch_history()).to_json().encode()


async def test_nothing_of_a_person_is_in_clear(
    service: Cases,
    channel: Api,
    person: Api,
    mongo: Mongo,
    gateway_settings: Settings,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    body = {"kind": "complaint", "customer": fresh("c"), "region": "330106", "person": True, "text": WORDS}
    opened = (await channel.post("/v1/cases", {**body, "name": NAME, "phone": PHONE}, status=201)).body
    path = f"/v1/cases/{opened['id']}"
    told: list[tuple[Api, str, dict[str, Any]]] = [
        (channel, "messages", {"text": WORDS}),
        (person, "reply", {"text": WORDS, "wait": False}),
        (person, "notes", {"text": WORDS}),
        (person, "priority", {"priority": "urgent", "reason": REACHED}),
        (person, "escalation", {"reason": REACHED}),
        (person, "partner-question", {"text": REACHED, "partner": fresh("partner")}),
        (person, "resolution", {"note": REACHED, "text": WORDS}),
        (person, "reopening", {"reason": REACHED}),
    ]
    for who, what, asked in told:
        answer = await who.post(f"{path}/{what}", asked, status=200)
        assert not where({what: str(answer.body).encode()}, SECRETS)
    # Refused, and told where it does not belong.
    await person.post(f"{path}/assignment", {"assignee": NAME, "team": PHONE}, status=422)
    await channel.post("/v1/cases", {**body, "kind": PHONE, "phone": [NAME]}, status=422)
    kept = dict(await database(mongo))
    client = await connect(gateway_settings)
    kept["history"] = await _history(client, opened["id"])
    kept["log"] = caplog.text.encode()
    assert where(kept, SECRETS) == {}
    assert where(kept, [opened["id"]]), "what is no secret is found, so the search searches"
    read = (await person.get(f"{path}/messages", status=200)).body["messages"]
    assert WORDS in {one["text"] for one in read}, "who may read it, reads it"


_OBJECTION = {"line": 1, "reason": REACHED}
_SUPPLIERS = {
    "supplier": "sup-a",
    "location": "store-1",
    "lines": [{"sku": "tea", "quantity": 1, "unit_price": 1, "due": "2030-03-15"}],
}


@pytest.mark.parametrize(
    ("model", "body"),
    [
        (TransferCommand, {"by": "a", "cancel": {"reason": REACHED}}),
        (TransferCommand, {"by": "a", "lose": {"reason": REACHED}}),
        (PurchaseCommand, {"by": "a", "reject": {"reason": REACHED}}),
        (PurchaseCommand, {"by": "a", "approve": {"note": REACHED}}),
        (PurchaseCommand, {"by": "a", "cancel": {"reason": REACHED}}),
        (Approvals, {"ids": ["p"], "reason": REACHED}),
        (PurchaseReply, {"id": "r1", "order": "po-1", "kind": "declined", "reason": "price", "note": REACHED}),
        (PurchaseAsked, {**_SUPPLIERS, "reason": REACHED}),
        (ObjectToLine, {"order": "po-1", "line": 1, "reason": REACHED}),
        (OnboardingCommand, {"by": "a", "withdraw": {"reason": REACHED}}),
        (OnboardingCommand, {"by": "a", "review": {"item": "licence", "decision": "return", "comment": REACHED}}),
        (OnboardingCommand, {"by": "a", "decide": {"decision": "reject", "reason": REACHED}}),
        (LifecycleCommand, {"by": "a", "suspend": {"reason": REACHED}}),
        (LifecycleCommand, {"by": "a", "resume": {"note": REACHED}}),
        (LifecycleCommand, {"by": "a", "terminate": {"reason": REACHED}}),
        (LifecycleCommand, {"by": "a", "review": {"requirement": "r", "decision": "return", "comment": REACHED}}),
        (AgreementCommand, {"by": "a", "cancel": {"reason": REACHED}}),
        (SettlementCommand, {"by": "a", "approve": {"note": REACHED}}),
        (SettlementCommand, {"by": "a", "object": {"lines": [_OBJECTION]}}),
        (SettlementCommand, {"by": "a", "answer": {**_OBJECTION, "accept": False}}),
    ],
    ids=lambda value: value.__module__.split(".")[1] if isinstance(value, type) else list(value)[-1],
)
def test_remarks_reach_no_process(model: Any, body: dict[str, Any]) -> None:
    made = model.model_validate(body)
    again = model.model_validate_json(made.model_dump_json())
    assert made == again, "what was masked stays as it is"
    assert where({"made": made.model_dump_json().encode()}, SECRETS) == {}
    assert "call 139****5678 or" in made.model_dump_json()
