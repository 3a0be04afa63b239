"""Keys and tokens of the bus: made once, whole, and readable by nobody else."""

import base64
import hashlib
import json
from pathlib import Path

import pytest

from infra import bus_access
from infra.nats_jwt import KeyPair, Kind, answer_to, creds_text, decode, encode, scoped_user_claims, seed_of, token_of
from infra.nats_keys import BusKeys, KeysIncomplete

KINDS: tuple[Kind, ...] = ("operator", "account", "user")


@pytest.fixture
def keys(tmp_path: Path) -> BusKeys:
    keys = BusKeys(tmp_path / "keys")
    keys.provide()
    return keys


class TestKeys:
    def test_they_are_made_once(self, keys: BusKeys) -> None:
        before = {path.name: path.read_bytes() for path in keys.folder.iterdir()}
        keys.provide()
        assert {path.name: path.read_bytes() for path in keys.folder.iterdir()} == before
        assert keys.events_account() == keys.events_account()

    def test_only_their_owner_reads_them(self, keys: BusKeys) -> None:
        assert {path.stat().st_mode & 0o777 for path in keys.folder.iterdir()} == {0o600}
        assert keys.folder.stat().st_mode & 0o777 == 0o700

    @pytest.mark.parametrize("written", range(9))
    def test_who_is_killed_on_the_way_goes_on(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: int
    ) -> None:
        keys, write, names = BusKeys(tmp_path), BusKeys._write, list[str]()

        def killed(self: BusKeys, name: str, text: str) -> None:
            if len(names) == written:
                raise KeyboardInterrupt
            names.append(name)
            write(self, name, text)

        with monkeypatch.context() as patch:
            patch.setattr(BusKeys, "_write", killed)
            with pytest.raises(KeyboardInterrupt):
                keys.provide()
        before = {name: (tmp_path / name).read_bytes() for name in names}
        keys.provide()
        assert {name: (tmp_path / name).read_bytes() for name in names} == before
        assert keys.server_config(tmp_path)
        assert decode(token_of(keys.service_creds.read_text()))["iss"] == keys.public("services")

    def test_one_that_got_lost_is_named(self, keys: BusKeys) -> None:
        (keys.folder / "signing.nk").unlink()
        with pytest.raises(KeysIncomplete, match=r"signing\.nk is missing.*TONGQU_NATS_KEYS"):
            keys.key("signing")

    def test_what_may_lie_in_a_safe_is_not_needed(self, keys: BusKeys) -> None:
        for name in ("operator.nk", "services.nk"):
            (keys.folder / name).unlink()
        keys.provide()
        assert keys.server_config(Path("/accounts"))
        assert keys.key("signing") and keys.key("partners")

    def test_the_servers_configuration_holds_no_secret(self, keys: BusKeys) -> None:
        config = keys.server_config(Path("/accounts"))
        for path in keys.folder.glob("*.nk"):
            assert path.read_text().strip() not in config
        for path in keys.folder.glob("*.creds"):
            assert seed_of(path.read_text()) not in config


class TestTokens:
    def test_a_key_says_what_it_is_for(self) -> None:
        pair = KeyPair.new("user")
        again = KeyPair(pair.seed)
        assert (pair.public[0], pair.seed[:2], again.public) == ("U", "SU", pair.public)
        assert [KeyPair.new(kind).public[0] for kind in KINDS] == ["O", "A", "U"]

    def test_the_form_of_a_token(self) -> None:
        user, signer = KeyPair.new("user"), KeyPair.new("account")
        token = encode(scoped_user_claims(user.public, "acme", "AACCOUNT"), signer, 1_700_000_000, 1_700_000_060)
        header, claims, signature = token.split(".")
        assert json.loads(base64.urlsafe_b64decode(header + "==")) == {"typ": "JWT", "alg": "ed25519-nkey"}
        assert not set("=+/") & set(token)
        read = decode(token)
        digest = read.pop("jti")
        assert read == {
            "sub": user.public,
            "name": "acme",
            "iss": signer.public,
            "iat": 1_700_000_000,
            "exp": 1_700_000_060,
            "nats": {"issuer_account": "AACCOUNT", "type": "user", "version": 2},
        }
        expected = hashlib.sha256(json.dumps(read, sort_keys=True).encode()).digest()
        assert base64.b32decode(digest + "====") == expected
        assert signer.sign(f"{header}.{claims}".encode()) == base64.urlsafe_b64decode(signature + "==")

    def test_a_creds_file_gives_back_what_it_holds(self) -> None:
        user = KeyPair.new("user")
        text = creds_text("a.b.c", user)
        assert (token_of(text), seed_of(text)) == ("a.b.c", user.seed)
        assert answer_to("nonce", text)["jwt"] == "a.b.c"

    @pytest.mark.parametrize("text", ["", "SU", "not a seed", "SUAAAA", "x" * 58])
    def test_what_is_no_seed_is_an_error(self, text: str) -> None:
        with pytest.raises(ValueError, match="seed"):
            KeyPair(text)

    @pytest.mark.parametrize("text", ["", "-----BEGIN NATS USER JWT-----", "a.b.c"])
    def test_what_is_no_creds_file_is_an_error(self, text: str) -> None:
        with pytest.raises(ValueError, match="creds"):
            token_of(text)

    @pytest.mark.parametrize("text", ["", "a.b", "a.b.c.d"])
    def test_what_is_no_token_is_an_error(self, text: str) -> None:
        with pytest.raises(ValueError, match="three parts"):
            decode(text)


class TestAccess:
    def test_a_partner_is_allowed_its_own_streams_and_inbox_and_nothing_else(self) -> None:
        allowed = bus_access.partner_allowed("acme", ["acme", "store-1"])
        assert set(allowed.publish) == {
            *("$JS.API.CONSUMER.MSG.NEXT.EVENTS.p-acme", "$JS.API.CONSUMER.MSG.NEXT.EVENTS.p-store-1"),
            *("info.v1.p-acme", "info.v1.p-store-1"),
            *("$JS.ACK.EVENTS.p-acme.>", "$JS.ACK.EVENTS.p-store-1.>"),
            *("$JS.ACK.*.*.EVENTS.p-acme.>", "$JS.ACK.*.*.EVENTS.p-store-1.>"),
            *("reply.v1.acme", "reply.v1.store-1"),
        }
        assert allowed.subscribe == ["_INBOX_acme.>"]

    def test_what_is_asked_for_is_offered(self) -> None:
        """Each import is within one export, and none reaches beyond one partner."""
        for service in bus_access.services_of(["acme"]):
            within = [offer for offer in bus_access.OFFERED if _within(service.subject, offer.subject)]
            assert len(within) == 1 and within[0].streams == service.streams, service
            assert "acme" in service.subject


def _within(subject: str, pattern: str) -> bool:
    one, other = subject.split("."), pattern.split(".")
    for place, token in enumerate(other):
        if token == ">":
            return len(one) > place
        if place >= len(one) or token not in ("*", one[place]):
            return False
    return len(one) == len(other)
