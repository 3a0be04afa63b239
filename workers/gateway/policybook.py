"""Keeps policies: a change makes a new version under the next number; what was decided under the old one stays true."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from types import NoneType
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, get_args

from annotated_types import Le
from pydantic import BaseModel, ConfigDict, Field, create_model
from pydantic.fields import FieldInfo

from activities.partners.places import renew_network
from contracts.carriers import DivisionPrefix
from contracts.partners import ChannelName
from contracts.refusals import Refusal
from contracts.routing import Policy
from contracts.versions import newest
from infra.mongo import Mongo, Session
from workers.gateway.upserts import network_version, refuse_wrong_prefixes

_LARGEST = 2_000_000_000
"""Sixty-three years in seconds, twenty millions in fen: no number of a policy is larger."""
PolicyId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$", examples=["pearl-river"])]


def _draft_field(name: str, field: FieldInfo) -> Any:
    """A policy's own field and default, with the bounds that what comes from outside needs."""
    special = {
        "id": (PolicyId, ...),
        "channels": (Annotated[list[ChannelName], Field(max_length=20)], []),
        "regions": (Annotated[list[DivisionPrefix], Field(max_length=400)], []),
    }
    if name in special:
        return special[name]
    whole = field.annotation is int or set(get_args(field.annotation)) == {int, NoneType}
    unbounded = whole and not any(isinstance(rule, Le) for rule in field.metadata)
    return (Annotated[field.annotation, Field(le=_LARGEST)] if unbounded else field.annotation, field)


if TYPE_CHECKING:
    PolicyDraft = Policy
else:
    PolicyDraft = create_model(
        "PolicyDraft",
        __config__=ConfigDict(extra="forbid", frozen=True),
        __doc__="A policy as a caller describes it. The version is given by the system.",
        **{name: _draft_field(name, field) for name, field in Policy.model_fields.items() if name != "version"},
    )


class PolicyView(Policy):
    """`at`: when this version was made; null for what the system brings with it."""

    at: datetime | None = None


class PolicyList(BaseModel):
    """The newest version of each policy. An order is routed by the one that fits its channel and division best."""

    policies: list[PolicyView]


class Kept(NamedTuple):
    policy: PolicyView
    created: bool
    network_version: int


async def keep_policy(mongo: Mongo, draft: BaseModel, at: datetime) -> Kept:
    """Make the next version of a policy, in one transaction with the network's version. What is sent as it is known
    keeps its version. Raises Refusal."""
    wanted = Policy.model_validate(draft.model_dump())
    refuse_wrong_prefixes({f"regions.{number}": prefix for number, prefix in enumerate(wanted.regions)})

    async def work(session: Session) -> Kept:
        await _refuse_unknown_channels(mongo, session, wanted.channels)
        known = {one.id: one for one in await read_policies(mongo, session=session)}
        before = known.pop(wanted.id, None)
        _refuse_overlap(wanted, known.values())
        if before is not None and _content(before) == _content(wanted):
            return Kept(before, False, await network_version(mongo, session))
        version = before.version + 1 if before else 1
        made = PolicyView.model_validate({**wanted.model_dump(), "version": version, "at": at})
        await mongo.policies.insert_one({"_id": f"{made.id}@{version}", **made.model_dump()}, session=session)
        await renew_network(mongo, session)
        return Kept(made, True, await network_version(mongo, session))

    return await mongo.transaction(work)


async def read_policies(mongo: Mongo, session: Session | None = None) -> list[PolicyView]:
    """The newest version of each, by id. The built-in defaults hold while no policy of their id is kept."""
    kept = [PolicyView.model_validate(row) async for row in mongo.policies.find({}, session=session)]
    return newest([PolicyView(), *kept])


async def read_policy(mongo: Mongo, policy: str, version: int | None) -> PolicyView:
    """A version of a policy, or its newest. Raises Refusal 404."""
    query: dict[str, Any] = {"id": policy} if version is None else {"id": policy, "version": version}
    row = await mongo.policies.find_one(query, sort=[("version", -1)])
    built_in = PolicyView()
    if row is None and policy == built_in.id and version in (None, built_in.version):
        return built_in
    if row is None:
        named = policy if version is None else f"{policy}@{version}"
        remedy = "See GET /v1/policies for those that are kept."
        raise Refusal("unknown_policy", f"There is no policy {named}.", remedy=remedy, field="id", status=404)
    return PolicyView.model_validate(row)


async def _refuse_unknown_channels(mongo: Mongo, session: Session, channels: Sequence[str]) -> None:
    """A channel of which no location takes orders is most often a misspelt one."""
    for number, channel in enumerate(channels):
        if await mongo.locations.find_one({"channels": channel}, {"_id": 1}, session=session) is None:
            raise Refusal(
                "unknown_channel",
                f"No location takes orders of the channel {channel}.",
                remedy="Correct it, or first register a location that serves it.",
                field=f"channels.{number}",
            )


def _refuse_overlap(wanted: Policy, others: Iterable[Policy]) -> None:
    """Two policies for the same channel and region: nobody could say which one holds."""
    for other in others:
        same = set(wanted.regions or [""]) & set(other.regions or [""])
        shared = set(wanted.channels or [""]) & set(other.channels or [""])
        if same and shared:
            where = f"region {min(same) or 'everywhere'}, channel {min(shared) or 'any'}"
            raise Refusal(
                "policy_overlaps",
                f"The policy {other.id} holds for the same orders: {where}.",
                remedy=f"Name another region or channel, or send a new version of {other.id}.",
                field="regions" if any(same) else "channels",
                status=409,
            )


def _content(policy: Policy) -> Mapping[str, Any]:
    return policy.model_dump(exclude={"version", "at"})
