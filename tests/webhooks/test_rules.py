"""Pauses, addresses and signatures: what is decided without any server."""

import asyncio
import base64
import socket
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError

from contracts.refusals import Refusal
from contracts.webhooks import Secret, Webhook
from infra.clock import Clock
from infra.hearing import Heard
from tests.told import NOW
from workers.webhooks.addresses import PrivateAddress, PublicOnly, is_public, refuse_address
from workers.webhooks.keeping import FREE
from workers.webhooks.rules import Again, Outcome, Pause, Rules, after_failure, retry_after
from workers.webhooks.sending import Sender
from workers.webhooks.signing import headers, message_id, new_secret, valid_at

RULES = Rules(within_s=10, retry_s=1, retry_max_s=3600, gives_up_s=3 * 86400)
FAILED = Outcome(500, "")


def again(attempts: int, chance: float = 1.0, outcome: Outcome = FAILED) -> float:
    decided = after_failure(outcome, attempts, NOW, NOW, chance, RULES)
    assert isinstance(decided, Again)
    return decided.after_s


class TestPauses:
    def test_they_double_up_to_the_longest(self) -> None:
        assert [again(n) for n in range(1, 14)] == [*(2.0**n for n in range(12)), 3600]
        assert again(10_000) == 3600

    @given(st.integers(1, 100), st.floats(0, 1))
    def test_chance_takes_off_at_most_half(self, attempts: int, chance: float) -> None:
        assert again(attempts) / 2 <= again(attempts, chance) <= again(attempts)

    def test_an_endpoint_may_ask_for_a_longer_one_up_to_the_longest(self) -> None:
        assert again(1, outcome=Outcome(503, "", 120)) == 120
        assert again(9, outcome=Outcome(503, "", 1)) == 256
        assert again(1, outcome=Outcome(503, "", 10**9)) == 3600

    @pytest.mark.parametrize(
        ("header", "seconds"),
        [
            ("7", 7.0),
            (None, None),
            ("", None),
            ("-1", None),
            ("Wed, 21 Oct 2026 07:28:00 GMT", None),
            ("9" * 400, None),
        ],
    )
    def test_only_seconds_are_gone_by(self, header: str | None, seconds: float | None) -> None:
        assert retry_after(header) == seconds

    def test_gone_pauses_at_once_and_failing_when_it_lasts(self) -> None:
        assert after_failure(Outcome(410, ""), 1, NOW, NOW, 0, RULES) == Pause("endpoint_gone")
        limit = NOW + timedelta(days=3)
        assert isinstance(after_failure(FAILED, 99, NOW, limit - timedelta(seconds=1), 0, RULES), Again)
        assert after_failure(FAILED, 2, NOW, limit, 0, RULES) == Pause("failing")

    def test_only_two_hundreds_are_taken(self) -> None:
        taken = [status for status in range(100, 600) if Outcome(status, "").taken]
        assert taken == list(range(200, 300))
        assert not Outcome(None, "no answer").taken


class TestAddresses:
    @pytest.mark.parametrize(
        "address",
        (
            "127.0.0.1 127.8.8.8 0.0.0.0 10.0.0.1 172.16.0.1 192.168.1.1 169.254.169.254 100.64.0.1 192.0.0.8 "
            "198.18.0.1 224.0.0.1 240.0.0.1 255.255.255.255 :: ::1 fe80::1 fe80::1%eth0 fc00::1 fd12::1 ff02::1 "
            "2001:db8::1 fec0::1 168.63.129.16 192.88.99.1 ::7f00:1 ::ffff:168.63.129.16 64:ff9b::a83f:8110 "
            "::ffff:127.0.0.1 ::ffff:10.0.0.1 64:ff9b::7f00:1 64:ff9b::a9fe:a9fe 64:ff9b:1::1 2002:7f00:1::1 "
            "2001:0:53aa:64c:0:0:80ff:fffe"
        ).split(),
    )
    def test_what_is_inside_is_not_public(self, address: str) -> None:
        assert not is_public(address)

    @pytest.mark.parametrize("address", ["8.8.8.8", "114.114.114.114", "2001:4860:4860::8888", "64:ff9b::808:808"])
    def test_the_internet_is(self, address: str) -> None:
        assert is_public(address)

    @pytest.mark.parametrize(
        "url",
        [
            *(
                "http://shop.example/ ftp://shop.example/ //shop.example/ shop.example https:// https:///x "
                "https://localhost/ https://shop/ https://a.localhost/ https://printer.local/ https://x.internal "
                "https://127.0.0.1/ https://[::1]/ https://[::ffff:169.254.169.254]/ https://127.1/ https://0x7f.1/ "
                "https://2130706433/ https://0x7f000001/ https://10.0.0.1:8443/ https://user:word@shop.example/ "
                "https://user@shop.example/ https://shop.example:0/ https://shop.example:99999/ https://[::1/ "
                "https://shop.example/#x https://shop.example\\@10.0.0.1/ https://shöp.example/ https://localhost./ "
                "https://127.0.0.1./ https://8.8.8.8%40127.0.0.1/ https://8.8.8.8%2e/ https://[fe80::1%25eth0]/ "
                "https://168.63.129.16/ https://[fec0::1]/"
            ).split(),
            "",
            "https://shop.example/ x",
            "https://shop.example/\nHost:x",
        ],
    )
    def test_addresses_that_are_refused_when_they_are_given(self, url: str) -> None:
        with pytest.raises(Refusal) as refused:
            refuse_address(url, private=False)
        assert refused.value.field == "url"

    @pytest.mark.parametrize(
        "url", ["https://shop.example/hook?a=1", "https://8.8.8.8/", "https://shop.example:8443/x"]
    )
    def test_addresses_that_are_taken(self, url: str) -> None:
        refuse_address(url, private=False)

    def test_for_development_anything_that_is_an_address_is_taken(self) -> None:
        refuse_address("http://127.0.0.1:8080/hook", private=True)
        with pytest.raises(Refusal):
            refuse_address("ftp://127.0.0.1/", private=True)

    async def test_a_name_that_leads_inside_is_not_connected_to(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nobody connects, whether all of a name's addresses lead inside or only one does."""
        came: list[object] = []
        server = await asyncio.start_server(lambda reader, writer: came.append(writer), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        outside = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("8.8.8.8", port))
        inside = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))
        async with server:
            for found in ([inside], [outside, inside]):
                monkeypatch.setattr(socket, "getaddrinfo", lambda *_, found=found, **__: found)
                outcome = await _send(f"https://shop.example:{port}/", private=False)
                assert outcome.status is None
                assert "not public" in outcome.detail
                assert "127.0.0.1" not in outcome.detail, "where our own resolver leads to is nobody's business"
        assert came == []

    async def test_whether_a_name_exists_inside_is_not_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Otherwise a partner could ask our resolver, which may know more names than the internet's."""

        def inside(*_: object, **__: object) -> object:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.7", 443))]

        def nowhere(*_: object, **__: object) -> object:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        said = []
        for answer in (inside, nowhere):
            monkeypatch.setattr(socket, "getaddrinfo", answer)
            said.append(await _send("https://db.corp.example/", private=False))
        assert said[0] == said[1]
        assert said[0].status is None and "10.0.0.7" not in said[0].detail

    async def test_the_resolver_looks_at_real_answers(self) -> None:
        resolver = PublicOnly()
        with pytest.raises(PrivateAddress):
            await resolver.resolve("localhost", 443)
        await resolver.close()

    async def test_numbers_are_not_connected_to_either(self) -> None:
        for url in ("https://127.0.0.1:9/", "https://[::1]:9/", "http://8.8.8.8/"):
            outcome = await _send(url, private=False)
            assert outcome.status is None
            assert "Error" not in outcome.detail, "it was tried"


async def _send(url: str, *, private: bool) -> Outcome:
    async def now() -> datetime:
        return datetime.now(UTC)

    hook = Webhook.model_validate(
        {"id": "wh-1", "stream": "s", "url": url, "secrets": [{"secret": new_secret()}], "position": 0}
        | {"lease": FREE, "by": "t", "created_at": NOW}
    )
    async with Sender(Clock(now), within_s=5, private=private) as sender:
        return await sender.send(hook, Heard(1, "e", "parcel.offered.v1", b"{}", 1))


class TestSignatures:
    @given(st.text(max_size=300), st.integers(1, 10**9))
    def test_the_standards_own_package_verifies_them(self, text: str, number: int) -> None:
        body = ('{"x":' + '"' + "".join(c for c in text if c.isalnum()) + '"}').encode()
        secret, message, at = new_secret(), message_id("store-1", number), int(time.time())
        made = headers([secret], message, at, body)
        Verifier(secret).verify(body, made)
        for wrong in ({"webhook-id": "store-1_0"}, {"webhook-timestamp": str(at - 1)}):
            with pytest.raises(WebhookVerificationError):
                Verifier(secret).verify(body, made | wrong)
        with pytest.raises(WebhookVerificationError):
            Verifier(secret).verify(body + b" ", made)
        with pytest.raises(WebhookVerificationError):
            Verifier(new_secret()).verify(body, made)

    def test_the_standards_example(self) -> None:
        """Vector of the specification's reference libraries."""
        body = b'{"test": 2432232314}'
        secret, message = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek"
        made = headers([secret], message, 1614265330, body)
        assert made["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

    def test_each_secret_that_counts_signs(self) -> None:
        old, new = Secret(secret=new_secret(), until=NOW), Secret(secret=new_secret())
        before, after = NOW - timedelta(seconds=1), NOW
        assert valid_at([old, new], before) == [old.secret, new.secret]
        assert valid_at([old, new], after) == [new.secret]
        made: dict[str, Any] = headers(valid_at([old, new], before), "s_1", int(time.time()), b"{}")
        assert len(made["webhook-signature"].split()) == 2
        for one in (old, new):
            Verifier(one.secret).verify(b"{}", made)

    def test_a_secret_is_32_bytes_of_chance(self) -> None:
        made = {new_secret() for _ in range(50)}
        assert len(made) == 50
        assert {len(base64.b64decode(one.removeprefix("whsec_"))) for one in made} == {32}
