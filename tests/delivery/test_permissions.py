"""Each partner hears and says only what is its own. Everything that is denied is tried, on a real server."""

import asyncio
import base64
import json
import time
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from nats.js import JetStreamContext
from nats.js.api import ConsumerInfo

from contracts.refusals import Refusal
from contracts.subjects import DLQ, EVENTS, REPLIES, WAKE, event_subject, partner_consumer, reply_subject
from infra.bus_access import SYSTEM_INBOX, TRIAL_INBOX
from infra.credentials import BusNotTold, CredentialDesk, Credentials
from infra.embedded import Servers
from infra.indexes import make_indexes
from infra.mongo import Mongo
from infra.nats import Connection, connect, publish
from infra.nats_jwt import (
    Allowed,
    KeyPair,
    account_claims,
    creds_text,
    decode,
    encode,
    scoped_user_claims,
    seed_of,
    token_of,
    user_claims,
)
from infra.nats_keys import BusKeys
from infra.streams import provision_partners
from tests.delivery.partners import Partner, connected, turned_away, without_credentials
from tests.support import eventually

OFFERED = "parcel.offered.v1"
NOTHING_WAITS: dict[str, Any] = {"batch": 1, "no_wait": True}
EVERYTHING = Allowed(publish=[">"], subscribe=[">"])


@dataclass
class Town:
    """Two partners on one bus, and who looks at it from outside. B has one event that waits, A has none."""

    url: str
    keys: BusKeys
    desk: CredentialDesk
    js: JetStreamContext
    a: Credentials
    b: Credentials

    async def consumer(self, partner: str) -> ConsumerInfo:
        info: ConsumerInfo = await self.js.consumer_info(EVENTS, partner_consumer(partner))
        return info

    async def tell(self, partner: str, body: bytes = b"{}") -> int:
        return (await publish(self.js, event_subject(partner, OFFERED), body, uuid.uuid4().hex)).seq

    async def state(self) -> dict[str, Any]:
        """All that an attack might change: every stream, every consumer of EVENTS that matters here, the last reply."""
        streams = {str(one.config.name): one for one in await self.js.streams_info()}
        state: dict[str, Any] = {
            name: (one.config.subjects, one.state.messages, one.state.first_seq, one.state.last_seq)
            for name, one in streams.items()
        }
        for partner in (self.a.partner, self.b.partner):
            info = await self.consumer(partner)
            state[partner] = (info.config.filter_subject, info.num_pending, info.num_ack_pending, info.ack_floor)
        state["consumers"] = streams[EVENTS].state.consumer_count
        return state


@pytest.fixture
async def desk(bus: Servers, mongo: Mongo) -> AsyncIterator[CredentialDesk]:
    keys = BusKeys(Path(bus.addresses.nats_keys))
    system = await connect(bus.addresses.nats_url, keys.system_creds, "desk", inbox=SYSTEM_INBOX)
    yield CredentialDesk(mongo, keys, system)
    await system.close()


@pytest.fixture
async def town(bus: Servers, desk: CredentialDesk, nats: Connection) -> Town:
    js = nats.jetstream()
    a, b = (f"{letter}-{uuid.uuid4().hex[:8]}" for letter in "ab")
    await provision_partners(js, [a, b])
    keys = BusKeys(Path(bus.addresses.nats_keys))
    town = Town(bus.addresses.nats_url, keys, desk, js, await desk.issue(a, [a]), await desk.issue(b, [b]))
    await town.tell(b, b"for b alone")
    return town


@pytest.fixture
async def attacker(town: Town) -> AsyncIterator[Partner]:
    """A, with its true credentials."""
    async with connected(town.url, town.a.creds, town.a.partner) as partner:
        yield partner


class TestWhatIsAllowed:
    async def test_a_partner_reads_its_own_events_and_answers(self, town: Town, attacker: Partner) -> None:
        await town.tell(town.a.partner, b"for a")
        assert [message.data for message in await attacker.read()] == [b"for a"]
        info = await town.consumer(town.a.partner)
        assert (info.num_pending, info.num_ack_pending) == (0, 0)
        ack = await attacker.js.publish(reply_subject(town.a.partner), b"{}", timeout=5)
        assert (ack.stream, (await town.js.get_msg(REPLIES, ack.seq)).subject) == (
            REPLIES,
            reply_subject(town.a.partner),
        )
        assert attacker.errors == []

    async def test_it_can_look_at_its_own_consumer(self, town: Town, attacker: Partner) -> None:
        info = await attacker.js.consumer_info(EVENTS, partner_consumer(town.a.partner))
        assert info.config.filter_subject == f"evt.v1.{town.a.partner}.>"

    async def test_several_streams_of_one_partner(self, town: Town, desk: CredentialDesk) -> None:
        streams = [f"s-{uuid.uuid4().hex[:8]}" for _ in range(12)]
        owner = streams[0]
        await provision_partners(town.js, streams)
        theirs = await desk.issue(owner, streams)
        assert len(theirs.creds) < 1_500, "a token goes into one line of the protocol, which is 4 KiB long"
        for stream in streams:
            await town.tell(stream, stream.encode())
        async with connected(town.url, theirs.creds, owner) as partner:
            for stream in streams:
                assert [message.data for message in await partner.read(1, stream)] == [stream.encode()]
                await partner.js.publish(reply_subject(stream), b"{}", timeout=5)
            assert partner.errors == []
            await partner.asks(reply_subject(town.b.partner))
            await partner.refused(reply_subject(town.b.partner))

    async def test_the_server_in_use_gives_acknowledgements_the_form_that_is_allowed(
        self, town: Town, attacker: Partner
    ) -> None:
        await town.tell(town.a.partner)
        (message,) = await attacker.read()
        assert message.reply.startswith(f"$JS.ACK.{EVENTS}.{partner_consumer(town.a.partner)}.")


def _forbidden_subjects(a: str, b: str) -> list[str]:
    """Subjects that a partner might listen to."""
    return [
        ">",
        "*",
        "evt.v1.>",
        f"evt.v1.{b}.>",
        f"evt.v1.{a}.>",
        "reply.v1.*",
        "_INBOX.>",
        "*.>",
        f"_INBOX_{b}.>",
        f"{TRIAL_INBOX}.>",
        f"{SYSTEM_INBOX}.>",
        "$SYS.>",
        "$SYS.ACCOUNT.*.>",
        "$JS.>",
        "$JS.EVENT.>",
        "$JS.EVENT.ADVISORY.>",
        "$JS.API.>",
        f"$JS.ACK.{EVENTS}.>",
        "_R_.>",
        "wake.>",
        "dlq.>",
        "$KV.>",
    ]


PLACES = _forbidden_subjects("{a}", "{b}")


class TestListening:
    @pytest.mark.parametrize("place", range(len(PLACES)), ids=PLACES)
    async def test_nobody_listens_to_more_than_its_inbox(self, town: Town, attacker: Partner, place: int) -> None:
        subject = _forbidden_subjects(town.a.partner, town.b.partner)[place]
        heard: list[str] = []

        async def hear(message: Any) -> None:
            heard.append(message.subject)

        await attacker.client.subscribe(subject, cb=hear)
        await attacker.refused(subject)
        # As a member of a queue group too, which servers have forgotten to check before.
        attacker.errors.clear()
        await attacker.client.subscribe(subject, queue="q", cb=hear)
        await attacker.refused(subject)
        async with connected(town.url, town.b.creds, town.b.partner) as other:
            assert len(await other.read(1)) == 1
            await other.js.publish(reply_subject(town.b.partner), b"{}", timeout=5)
        await town.tell(town.a.partner)
        await attacker.client.flush()
        assert heard == []


def _forbidden_requests(a: str, b: str) -> list[tuple[str, Any]]:
    """Requests that a partner might make, and what it might say with them."""
    theirs, ours = partner_consumer(b), partner_consumer(a)
    evil = {"durable_name": "evil", "ack_policy": "explicit", "filter_subject": f"evt.v1.{b}.>"}
    anew = {"stream_name": EVENTS, "config": evil}
    ours_anew = {"stream_name": EVENTS, "config": {**evil, "durable_name": ours, "name": ours}}
    return [
        (f"$JS.API.CONSUMER.MSG.NEXT.{EVENTS}.{theirs}", {"batch": 1}),
        (f"$JS.API.CONSUMER.INFO.{EVENTS}.{theirs}", None),
        (f"info.v1.{theirs}", None),
        (f"$JS.API.CONSUMER.CREATE.{EVENTS}", anew),
        (f"$JS.API.CONSUMER.CREATE.{EVENTS}.evil.evt.v1.{b}.>", anew),
        (f"$JS.API.CONSUMER.CREATE.{EVENTS}.{ours}", ours_anew),
        (f"$JS.API.CONSUMER.DURABLE.CREATE.{EVENTS}.evil", anew),
        (f"$JS.API.CONSUMER.DELETE.{EVENTS}.{theirs}", None),
        (f"$JS.API.CONSUMER.DELETE.{EVENTS}.{ours}", None),
        (f"$JS.API.CONSUMER.PAUSE.{EVENTS}.{theirs}", {"pause_until": "2099-01-01T00:00:00Z"}),
        (f"$JS.API.CONSUMER.UNPIN.{EVENTS}.{theirs}", {"group": "x"}),
        (f"$JS.API.CONSUMER.RESET.{EVENTS}.{theirs}", {"seq": 1}),
        (f"$JS.API.CONSUMER.RESET.{EVENTS}.{ours}", {"seq": 1}),
        (f"$JS.API.CONSUMER.NAMES.{EVENTS}", None),
        (f"$JS.API.CONSUMER.LIST.{EVENTS}", None),
        (f"$JS.API.STREAM.MSG.GET.{EVENTS}", {"seq": 1}),
        (f"$JS.API.STREAM.MSG.GET.{EVENTS}", {"last_by_subj": f"evt.v1.{b}.parcel.offered"}),
        (f"$JS.API.DIRECT.GET.{EVENTS}", {"seq": 1}),
        (f"$JS.API.DIRECT.GET.{EVENTS}.evt.v1.{b}.parcel.offered", None),
        (f"$JS.API.STREAM.MSG.DELETE.{EVENTS}", {"seq": 1}),
        (f"$JS.API.STREAM.PURGE.{EVENTS}", None),
        (f"$JS.API.STREAM.DELETE.{EVENTS}", None),
        (f"$JS.API.STREAM.DELETE.{REPLIES}", None),
        (f"$JS.API.STREAM.UPDATE.{EVENTS}", {"name": EVENTS, "subjects": ["evt.v1.>"], "max_msgs": 1}),
        ("$JS.API.STREAM.CREATE.EVIL", {"name": "EVIL", "subjects": ["evil.>"]}),
        ("$JS.API.STREAM.CREATE.EVIL", {"name": "EVIL", "mirror": {"name": EVENTS}}),
        (f"$JS.API.STREAM.INFO.{EVENTS}", None),
        ("$JS.API.STREAM.NAMES", None),
        ("$JS.API.STREAM.LIST", None),
        (f"$JS.API.STREAM.SNAPSHOT.{EVENTS}", {"deliver_subject": f"_INBOX_{a}.stolen"}),
        (f"$JS.API.STREAM.RESTORE.{EVENTS}", {"config": {"name": EVENTS}, "state": {}}),
        (f"$JS.API.STREAM.LEADER.STEPDOWN.{EVENTS}", None),
        ("$JS.API.INFO", None),
        ("$JS.API.ACCOUNT.PURGE.TONGQU", None),
        (f"$JS.ACK.{EVENTS}.{theirs}.1.1.1.1.0", b"+ACK"),
        (f"$JS.ACK.{EVENTS}.{theirs}.1.1.1.1.0", b"+TERM"),
        (f"$JS.ACK.{EVENTS}.{theirs}.1.1.1.1.0", b"+NXT"),
        (f"$JS.ACK._.hash.{EVENTS}.{theirs}.1.1.1.1.0", b"+ACK"),
        (f"$JS.FC.{EVENTS}.{theirs}.x", None),
        (event_subject(b, OFFERED), b"forged"),
        (event_subject(a, OFFERED), b"forged"),
        (reply_subject(b), b"{}"),
        (f"reply.v1.{a}.more", b"{}"),
        ("wake.inbox", {"batches": ["x"]}),
        (f"dlq.{REPLIES}", b"{}"),
        (f"_INBOX_{b}.x", b"for your inbox"),
        ("_INBOX.x", b"for somebody's inbox"),
        (f"_INBOX_{a}.x", b"even its own inbox is for hearing"),
        ("$SYS.REQ.SERVER.PING", None),
        ("$SYS.REQ.ACCOUNT.PING.CONNZ", None),
        ("$SYS.REQ.USER.INFO", None),
        ("$SYS.REQ.CLAIMS.UPDATE", b"x"),
        ("$SYS.REQ.CLAIMS.LIST", None),
        ("$SYS.REQ.SERVER.PING.SUBSZ", None),
    ]


REQUESTS = _forbidden_requests("{a}", "{b}")


class TestAsking:
    @pytest.mark.parametrize("place", range(len(REQUESTS)), ids=[f"{s}-{n}" for n, (s, _) in enumerate(REQUESTS)])
    async def test_nothing_is_asked_but_for_its_own(self, town: Town, attacker: Partner, place: int) -> None:
        subject, body = _forbidden_requests(town.a.partner, town.b.partner)[place]
        answers = await attacker.client.subscribe(f"_INBOX_{town.a.partner}.>")
        before = await town.state()
        await attacker.asks(subject, body)
        await attacker.refused(subject.replace(f"$JS.API.CONSUMER.INFO.{EVENTS}", "info.v1"))
        assert await town.state() == before
        assert answers.pending_msgs == 0


class TestAnswersSentElsewhere:
    """The server answers to whatever subject a request names, with rights of its own. That must lead nowhere."""

    @staticmethod
    def _targets(b: str, delivered: str) -> list[str]:
        theirs = partner_consumer(b)
        return [
            f"$JS.API.CONSUMER.DELETE.{EVENTS}.{theirs}",
            f"$JS.API.STREAM.PURGE.{EVENTS}",
            f"$JS.API.STREAM.DELETE.{EVENTS}",
            f"$JS.API.CONSUMER.MSG.NEXT.{EVENTS}.{theirs}",
            event_subject(b, OFFERED),
            reply_subject(b),
            "wake.inbox",
            f"dlq.{REPLIES}",
            f"_INBOX_{b}.x",
            delivered,
            delivered.replace("$JS.ACK.", "$JS.ACK._.hash."),
            "_R_.aaaaaaaaaaaaaaaa.bbbb",
            "_GR_.aaaaaaaa.bbbbbbbb.x",
            "$GNR.x.y",
            "$SYS.REQ.CLAIMS.UPDATE",
        ]

    @pytest.mark.parametrize("request_", ["next", "info", "ack", "reply"])
    async def test_an_answer_reaches_nobody_else(self, town: Town, attacker: Partner, request_: str) -> None:
        a, b = town.a.partner, town.b.partner
        await town.tell(a)
        (own,) = await attacker.read(1)
        async with connected(town.url, town.b.creds, b) as victim:
            hears = await victim.client.subscribe(f"_INBOX_{b}.>")
            inbox = await victim.js.pull_subscribe_bind(durable=partner_consumer(b), stream=EVENTS)
            (waiting,) = await inbox.fetch(1)
            before, heard = await town.state(), hears.pending_msgs
            assert before[b][2] == 1, "B holds an event that it has not acknowledged"
            for target in self._targets(b, waiting.reply):
                subject, body = {
                    "next": (f"$JS.API.CONSUMER.MSG.NEXT.{EVENTS}.{partner_consumer(a)}", NOTHING_WAITS),
                    "info": (f"$JS.API.CONSUMER.INFO.{EVENTS}.{partner_consumer(a)}", None),
                    "ack": (own.reply, b"+ACK"),
                    "reply": (reply_subject(a), b"{}"),
                }[request_]
                await attacker.asks(subject, body, reply=target)
            # What was asked has been answered when something asked later has.
            sent = (await attacker.js.publish(reply_subject(a), b"{}", timeout=5)).seq
            await attacker.js.consumer_info(EVENTS, partner_consumer(a))
            await victim.client.flush()
            after = await town.state()
            ours = {name: value for name, value in after.items() if name not in (REPLIES, a)}
            assert ours == {name: value for name, value in before.items() if name not in (REPLIES, a)}
            assert hears.pending_msgs == heard
            for number in range(before[REPLIES][3] + 1, sent + 1):
                assert (await town.js.get_msg(REPLIES, number)).subject == reply_subject(a)
            await waiting.ack_sync(timeout=5)

    async def test_events_go_to_no_stream_of_another(self, town: Town, attacker: Partner) -> None:
        """A's own events, asked for with somebody else's subject as the place to deliver them."""
        a, b = town.a.partner, town.b.partner
        before = await town.state()
        for target in (event_subject(b, OFFERED), reply_subject(b), f"_INBOX_{b}.x"):
            await town.tell(a, b"a's own")
            await attacker.asks(f"$JS.API.CONSUMER.MSG.NEXT.{EVENTS}.{partner_consumer(a)}", {"batch": 1}, reply=target)
        await attacker.js.consumer_info(EVENTS, partner_consumer(a))
        after = await town.state()
        assert after[b] == before[b]
        assert (after[REPLIES], after[DLQ], after[WAKE]) == (before[REPLIES], before[DLQ], before[WAKE])
        assert after[EVENTS][1] == before[EVENTS][1] + 3


class TestForged:
    async def test_nobody_in_particular(self, town: Town) -> None:
        assert "authorization violation" in (await without_credentials(town.url)).lower()

    @pytest.mark.parametrize(
        "forgery",
        [
            "another account's key",
            "another operator",
            "signed by itself",
            "alg none",
            "no signature",
            "changed",
            "hmac",
            "expired",
            "other seed",
            "bearer",
            "wider than its scope",
            "of the events' account",
        ],
    )
    async def test_a_token_that_is_not_ours_is_worth_nothing(self, town: Town, tmp_path: Path, forgery: str) -> None:
        said = await turned_away(town.url, _forged(forgery, town, tmp_path))
        assert "authorization violation" in said.lower()

    async def test_the_same_way_of_making_tokens_makes_ones_that_count(self, town: Town) -> None:
        """Otherwise the tests above would prove nothing."""
        user = KeyPair.new("user")
        claims = scoped_user_claims(user.public, "x", decode(token_of(town.a.creds))["nats"]["issuer_account"])
        token = encode(claims, town.keys.key("partners"), int(time.time()), int(time.time()) + 60)
        async with connected(town.url, creds_text(token, user), town.a.partner) as partner:
            await partner.js.consumer_info(EVENTS, partner_consumer(town.a.partner))

    async def test_an_account_of_another_operator_is_worth_nothing(
        self, town: Town, attacker: Partner, tmp_path: Path
    ) -> None:
        """Even in the hands of somebody who could talk to the system account."""
        other = BusKeys(tmp_path)
        other.provide()
        before = await town.state()
        account = decode(token_of(town.a.creds))["nats"]["issuer_account"]
        theirs, user = KeyPair.new("account"), KeyPair.new("user")
        claims = account_claims(account, "evil", jetstream=True, signing_keys=[theirs.public])
        creds = creds_text(encode(user_claims(user.public, "x", account, None), theirs, int(time.time())), user)
        for signer in (other.key("signing"), other.key("operator"), KeyPair.new("account")):
            token = encode(claims, signer, int(time.time()))
            await town.desk._system.request("$SYS.REQ.CLAIMS.UPDATE", token.encode(), timeout=5)
            assert "authorization violation" in (await turned_away(town.url, creds)).lower()
        assert await town.state() == before
        await town.desk.tell_all()
        await attacker.js.consumer_info(EVENTS, partner_consumer(town.a.partner))

    async def test_the_desks_own_access_is_for_accounts_alone(self, town: Town) -> None:
        async with connected(town.url, town.keys.system_creds, "desk") as system:
            for subject in ("$SYS.REQ.SERVER.PING", "$SYS.REQ.CLAIMS.LIST", "$JS.API.STREAM.NAMES"):
                await system.asks(subject)
                await system.refused(subject)


def _forged(forgery: str, town: Town, folder: Path) -> str:
    """Credentials that claim to be A's, or more, and are not."""
    true = town.a.creds
    header, claims, signature = token_of(true).split(".")
    seed = seed_of(true)
    account = decode(token_of(true))["nats"]["issuer_account"]
    user = KeyPair(seed)
    now = int(time.time())
    scoped = scoped_user_claims(user.public, town.a.partner, account)
    partners = town.keys.key("partners")

    def part(value: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    def with_header(algorithm: str) -> str:
        return part({"typ": "JWT", "alg": algorithm})

    def of_another_operator() -> str:
        other = BusKeys(folder)
        other.provide()
        return encode(scoped, other.key("partners"), now)

    wider = {**decode(token_of(true)), "sub": user.public}
    wider["nats"] = {**wider["nats"], "pub": {"allow": [">"]}, "sub": {"allow": [">"]}}
    tokens: dict[str, Callable[[], str]] = {
        "another account's key": lambda: encode(scoped, KeyPair.new("account"), now),
        "another operator": of_another_operator,
        "signed by itself": lambda: encode(scoped, user, now),
        "alg none": lambda: f"{with_header('none')}.{claims}.",
        "no signature": lambda: f"{header}.{claims}.",
        "changed": lambda: f"{header}.{part(wider)}.{signature}",
        "hmac": lambda: f"{with_header('HS256')}.{claims}.{signature}",
        "expired": lambda: encode(scoped, partners, now - 100, now - 10),
        "other seed": lambda: token_of(true),
        "bearer": lambda: encode({**scoped, "nats": {**scoped["nats"], "bearer_token": True}}, partners, now),
        "wider than its scope": lambda: encode(user_claims(user.public, "x", account, EVERYTHING), partners, now),
        "of the events' account": lambda: encode(
            user_claims(user.public, "x", town.keys.public("events"), None), partners, now
        ),
    }
    seeds = {"other seed": KeyPair.new("user").seed}
    return creds_text(tokens[forgery](), KeyPair(seeds.get(forgery, seed)))


class TestTakenBack:
    async def test_connections_end_at_once_and_do_not_come_back(self, town: Town, attacker: Partner) -> None:
        async with connected(town.url, town.b.creds, town.b.partner) as other:
            began = time.monotonic()
            await town.desk.revoke(town.a.partner)
            # How soon, on a machine that does nothing else, is measured by bench/streams.py; far below a second.
            assert await attacker.gone() - began < 10
            assert "authorization violation" in (await turned_away(town.url, town.a.creds)).lower()
            assert len(await other.read(1)) == 1, "the others notice nothing"
            assert other.errors == []

    async def test_again_and_for_nobody_is_harmless(self, town: Town, mongo: Mongo) -> None:
        for _ in range(2):
            await town.desk.revoke(town.a.partner)
        await town.desk.revoke("nobody")
        assert await mongo.bus_accounts.count_documents({}) == 2
        assert await mongo.credentials.count_documents({"partner": town.a.partner, "revoked_at": None}) == 0

    async def test_new_ones_after_that_count(self, town: Town) -> None:
        await town.desk.revoke(town.a.partner)
        new = await town.desk.issue(town.a.partner, [town.a.partner])
        async with connected(town.url, new.creds, town.a.partner) as partner:
            await town.tell(town.a.partner, b"after all")
            assert [message.data for message in await partner.read(1)] == [b"after all"]
        assert "authorization violation" in (await turned_away(town.url, town.a.creds)).lower()

    async def test_a_server_that_starts_again_remembers(self, bus: Servers, town: Town) -> None:
        await town.desk.revoke(town.a.partner)
        bus.processes["nats"].kill()
        await bus.start_again("nats")
        await eventually(lambda: town.desk._system.is_connected, 30)
        assert "authorization violation" in (await turned_away(town.url, town.a.creds)).lower()
        async with connected(town.url, town.b.creds, town.b.partner) as other:
            await other.js.consumer_info(EVENTS, partner_consumer(town.b.partner))

    async def test_what_expires_ends_by_itself(self, town: Town, mongo: Mongo) -> None:
        brief = CredentialDesk(mongo, town.keys, town.desk._system, valid_s=6)
        creds = await brief.issue(town.a.partner, [town.a.partner])
        async with connected(town.url, creds.creds, town.a.partner) as partner:
            await partner.js.consumer_info(EVENTS, partner_consumer(town.a.partner))
            await partner.gone()
        said = (await eventually(lambda: turned_away(town.url, creds.creds))).lower()
        assert "expired" in said or "authorization violation" in said

    async def test_a_desk_that_is_killed_before_the_server_knows_has_decided_all_the_same(
        self, bus: Servers, town: Town, mongo: Mongo, attacker: Partner, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def killed(self: CredentialDesk, partner: str) -> None:
            raise asyncio.CancelledError

        with monkeypatch.context() as patch:
            patch.setattr(CredentialDesk, "_tell", killed)
            with pytest.raises(asyncio.CancelledError):
                await town.desk.revoke(town.a.partner)
        assert attacker.client.is_connected
        assert await town.desk.sweep() == 0, "somebody may still be at it"
        monkeypatch.setattr("infra.credentials._LEFT_BEHIND_S", -1.0)
        assert await town.desk.sweep() == 1
        await attacker.gone()
        assert await town.desk.sweep() == 0

    async def test_a_server_that_is_away_is_an_error_that_loses_nothing(
        self, bus: Servers, town: Town, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bus.processes["nats"].kill()
        monkeypatch.setattr("infra.credentials._ANSWER_S", 0.2)
        try:
            with pytest.raises(BusNotTold, match=town.a.partner):
                await town.desk.revoke(town.a.partner)
        finally:
            await bus.start_again("nats")
        await eventually(lambda: town.desk._system.is_connected, 30)
        monkeypatch.setattr("infra.credentials._ANSWER_S", 5.0)
        monkeypatch.setattr("infra.credentials._LEFT_BEHIND_S", -1.0)
        await town.desk.sweep()
        assert "authorization violation" in (await turned_away(town.url, town.a.creds)).lower()


class TestReplaced:
    async def test_both_count_for_a_while_and_no_event_is_lost(self, town: Town, attacker: Partner) -> None:
        a = town.a.partner
        sent = [await town.tell(a) for _ in range(3)]
        got = [message.metadata.sequence.stream for message in await attacker.read(2)]
        new = await town.desk.rotate(a, overlap_s=3600)
        async with connected(town.url, new.creds, a) as successor:
            sent += [await town.tell(a) for _ in range(2)]
            got += [message.metadata.sequence.stream for message in await attacker.read(1)]
            assert await town.desk.sweep() == 0, "it is not due yet"
            got += [message.metadata.sequence.stream for message in await successor.read()]
            assert got == sent
            assert attacker.client.is_connected

    async def test_the_old_ones_end_when_their_time_is_over(self, town: Town, attacker: Partner) -> None:
        new = await town.desk.rotate(town.a.partner, overlap_s=0.5)
        await eventually(lambda: _swept(town.desk), 10)
        await attacker.gone()
        assert "authorization violation" in (await turned_away(town.url, town.a.creds)).lower()
        async with connected(town.url, new.creds, town.a.partner) as successor:
            await successor.js.consumer_info(EVENTS, partner_consumer(town.a.partner))

    async def test_without_overlap_they_end_at_once(self, town: Town, attacker: Partner) -> None:
        await town.desk.rotate(town.a.partner, overlap_s=0)
        await attacker.gone()

    async def test_there_must_be_something_to_replace(self, town: Town) -> None:
        await town.desk.revoke(town.a.partner)
        for nobody in ("nobody", town.a.partner):
            with pytest.raises(Refusal, match="no_credentials"):
                await town.desk.rotate(nobody, overlap_s=60)


async def _swept(desk: CredentialDesk) -> bool:
    return await desk.sweep() == 1


class TestDesk:
    @pytest.mark.parametrize(
        ("partner", "streams", "field"),
        [
            ("a.b", ["x"], "partner"),
            (">", ["x"], "partner"),
            ("", ["x"], "partner"),
            ("acme", [], "streams"),
            ("acme", ["*"], "streams.0"),
            ("acme", ["x", "y.>"], "streams.1"),
            ("acme", ["x y"], "streams.0"),
            ("acme", [f"s{number}" for number in range(301)], "streams"),
        ],
    )
    async def test_what_would_say_more_than_an_id_is_refused(
        self, desk: CredentialDesk, mongo: Mongo, partner: str, streams: list[str], field: str
    ) -> None:
        with pytest.raises(Refusal) as refused:
            await desk.issue(partner, streams)
        assert refused.value.field == field
        assert await mongo.bus_accounts.count_documents({}) == 0

    async def test_a_stream_has_one_owner(self, town: Town) -> None:
        with pytest.raises(Refusal, match="stream_taken"):
            await town.desk.issue("somebody", [town.b.partner])
        await town.desk.revoke(town.b.partner)
        await town.desk.issue("somebody", [town.b.partner])

    async def test_of_two_that_are_given_a_stream_at_once_one_gets_it(self, desk: CredentialDesk, mongo: Mongo) -> None:
        await make_indexes(mongo)
        for number in range(5):
            stream = f"wanted-{number}-{uuid.uuid4().hex[:8]}"
            asked = [desk.issue(f"{who}-{number}", [stream, f"{who}-{stream}"]) for who in ("one", "two")]
            outcomes = await asyncio.gather(*asked, return_exceptions=True)
            (refused,) = [one for one in outcomes if not isinstance(one, Credentials)]
            assert isinstance(refused, Refusal)
            assert refused.code == "stream_taken"
            assert await mongo.bus_accounts.count_documents({"streams": stream}) == 1
        # Those who have none are no hindrance to each other.
        for number in range(5):
            for who in ("one", "two"):
                await desk.revoke(f"{who}-{number}")

    async def test_an_account_that_the_server_refuses_holds_up_no_other(
        self, town: Town, mongo: Mongo, caplog: pytest.LogCaptureFixture
    ) -> None:
        left = [{"id": "x", "at": mongo.clock.now() - timedelta(minutes=1)}]
        wrong = {"_id": "0-wrong", "account": "no key", "streams": [], "version": 1, "telling": left}
        await mongo.bus_accounts.insert_one(wrong)
        await mongo.bus_accounts.update_one({"_id": town.b.partner}, {"$set": {"telling": left}})
        assert await town.desk.sweep() == 1
        assert "0-wrong" in caplog.text
        behind = [row["_id"] async for row in mongo.bus_accounts.find({"telling": {"$ne": []}})]
        assert behind == ["0-wrong"], "it is told again, by every sweep"
        assert await town.desk.tell_all() == 2

    async def test_the_largest_partner_fits(self, town: Town) -> None:
        places = [f"{'x' * 51}-{number:03d}-{uuid.uuid4().hex[:8]}" for number in range(300)]
        creds = await town.desk.issue("chain", places)
        async with connected(town.url, creds.creds, "chain") as partner:
            assert (await partner.js.publish(reply_subject(places[-1]), b"{}", timeout=20)).stream == REPLIES

    async def test_no_seed_is_kept_or_shown(self, town: Town, mongo: Mongo, caplog: pytest.LogCaptureFixture) -> None:
        new = await town.desk.rotate(town.a.partner, overlap_s=60)
        kept = [row async for row in mongo.credentials.find({})] + [row async for row in mongo.bus_accounts.find({})]
        for creds in (town.a, town.b, new):
            seed = seed_of(creds.creds)
            assert seed not in repr(creds)
            assert seed not in repr(kept)
            assert seed not in caplog.text
        assert town.keys.key("partners").seed not in repr(town.keys.key("partners"))
        for path in town.keys.folder.iterdir():
            assert path.stat().st_mode & 0o077 == 0, path
        assert town.keys.folder.stat().st_mode & 0o077 == 0

    async def test_an_account_has_so_many_connections_and_no_more(self, town: Town) -> None:
        most = 16
        opened = [connected(town.url, town.a.creds, town.a.partner) for _ in range(most)]
        for one in opened:
            await one.__aenter__()
        try:
            assert "maximum account active connections exceeded" in (await turned_away(town.url, town.a.creds)).lower()
            async with connected(town.url, town.b.creds, town.b.partner) as other:
                assert other.client.is_connected
        finally:
            for one in opened:
                await one.__aexit__(None, None, None)

    async def test_messages_and_subscriptions_are_limited(self, town: Town, attacker: Partner) -> None:
        for number in range(20):
            await attacker.client.subscribe(f"_INBOX_{town.a.partner}.{number}")
        await attacker.gone()
        assert "maximum subscriptions exceeded" in str(attacker.client.last_error).lower()
        async with connected(town.url, town.a.creds, town.a.partner) as again:
            before = await town.state()
            again.client._max_payload = 2**40
            await again.client.publish(reply_subject(town.a.partner), b"x" * (2 * 1024 * 1024))
            await again.gone()
            assert await town.state() == before
