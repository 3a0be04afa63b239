"""JSON web tokens of NATS, version 2: what an operator, an account and a user are allowed, signed.

The form is that of github.com/nats-io/jwt (directory v2), which the server reads them with; see also ADR-14 in
nats-io/nats-architecture-and-design. A token is `header.claims.signature`, each base64url without padding; the
signature is Ed25519 over `header.claims` by the issuer's nkey. An nkey is a prefix byte that says what it is for
(operator, account, user), the key, and a CRC-16 of both, base32 (github.com/nats-io/nkeys). Moments in a token are
whole seconds since the epoch.
"""

import base64
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import nkeys

Kind = Literal["operator", "account", "user"]
Claims = dict[str, Any]

UNLIMITED = -1
_PREFIX: Mapping[Kind, int] = {
    "operator": nkeys.PREFIX_BYTE_OPERATOR,
    "account": nkeys.PREFIX_BYTE_ACCOUNT,
    "user": nkeys.PREFIX_BYTE_USER,
}
_HEADER = {"typ": "JWT", "alg": "ed25519-nkey"}
_CREDS = """-----BEGIN NATS USER JWT-----
{jwt}
------END NATS USER JWT------

-----BEGIN USER NKEY SEED-----
{seed}
------END USER NKEY SEED------
"""


class KeyPair:
    """An nkey with its seed. It says nothing of the seed when it is printed."""

    def __init__(self, seed: str) -> None:
        """Raises ValueError for what is no seed."""
        try:
            self._keys = nkeys.from_seed(bytearray(seed.strip().encode()))
            self.public: str = self._keys.public_key.decode()
        except (nkeys.NkeysError, ValueError):
            raise ValueError("not the seed of an nkey") from None
        self.seed = seed.strip()

    @classmethod
    def new(cls, kind: Kind) -> "KeyPair":
        return cls(nkeys.encode_seed(os.urandom(32), _PREFIX[kind]).decode())

    def sign(self, data: bytes) -> bytes:
        signature: bytes = self._keys.sign(data)
        return signature

    def __repr__(self) -> str:
        return f"KeyPair({self.public})"


@dataclass(frozen=True, slots=True)
class Service:
    """What one account offers and another may ask for. `subject` may hold wildcards where it is offered."""

    subject: str
    streams: bool = False
    """Whether a request gets many answers."""
    local: str | None = None
    """What it is called where it is asked for, if not the same."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """What a user may publish and subscribe; nothing else. `subscriptions` of one connection, `payload` in bytes."""

    publish: Sequence[str]
    subscribe: Sequence[str]
    subscriptions: int = UNLIMITED
    payload: int = UNLIMITED


def operator_claims(public: str, name: str, *, system_account: str, signing_keys: Sequence[str]) -> Claims:
    """Accounts are signed by one of `signing_keys` only: the operator's own key can lie in a safe."""
    about = {
        "signing_keys": list(signing_keys),
        "system_account": system_account,
        "strict_signing_key_usage": True,
    }
    return _claims("operator", public, name, about)


def account_claims(
    public: str,
    name: str,
    *,
    jetstream: bool = False,
    connections: int = UNLIMITED,
    payload: int = UNLIMITED,
    signing_keys: Sequence[str] = (),
    scope: tuple[str, Allowed] | None = None,
    exports: Sequence[Service] = (),
    imports: Sequence[tuple[str, Service]] = (),
    mappings: Mapping[str, str] | None = None,
    revoked: Mapping[str, int] | None = None,
) -> Claims:
    """`scope`: a signing key, and what every user that it signs may do; it is not for the user's token to say.
    `mappings`: what a client publishes is taken for something else before anybody looks at it, permissions too.
    `imports` name the account that offers each service. `revoked`: by a user's public key (`*`: every user), the
    moment up to which what was issued counts no more."""
    storage = UNLIMITED if jetstream else 0
    limits = {
        "subs": UNLIMITED,
        "data": UNLIMITED,
        "payload": payload,
        "imports": UNLIMITED,
        "exports": UNLIMITED,
        "wildcards": True,
        "disallow_bearer": True,
        "conn": connections,
        "leaf": 0,
        "mem_storage": storage,
        "disk_storage": storage,
        "streams": storage,
        "consumer": storage,
    }
    about = {
        "limits": limits,
        "signing_keys": [*signing_keys, *([_scope(*scope)] if scope else [])],
        "exports": [
            {
                "name": one.subject,
                "subject": one.subject,
                "type": "service",
                "response_type": "Stream" if one.streams else "Singleton",
            }
            for one in exports
        ],
        "imports": [
            {
                "subject": one.subject,
                "account": account,
                "type": "service",
                **({"local_subject": one.local} if one.local else {}),
            }
            for account, one in imports
        ],
        "mappings": {name: [{"subject": other}] for name, other in (mappings or {}).items()},
        "revocations": dict(revoked or {}),
        "default_permissions": {"pub": {}, "sub": {}},
    }
    return _claims("account", public, name, about)


def user_claims(public: str, name: str, account: str, allowed: Allowed | None) -> Claims:
    """A user of `account`, with limits of its own; `allowed` None: everything in its account."""
    return _claims("user", public, name, {**_permissions(allowed), "issuer_account": account})


def scoped_user_claims(public: str, name: str, account: str) -> Claims:
    """A user of `account` that may do what the scope of the key allows that signs it."""
    return _claims("user", public, name, {"issuer_account": account})


def encode(claims: Claims, issuer: KeyPair, issued_at: int, expires_at: int | None = None) -> str:
    """Sign claims. `jti` is the digest of the rest: equal claims make equal tokens."""
    whole: Claims = {**claims, "iss": issuer.public, "iat": issued_at}
    if expires_at is not None:
        whole["exp"] = expires_at
    digest = hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).digest()
    whole["jti"] = base64.b32encode(digest).decode().rstrip("=")
    signed = f"{_part(_HEADER)}.{_part(whole)}"
    return f"{signed}.{_text(issuer.sign(signed.encode()))}"


def decode(token: str) -> Claims:
    """The claims of a token, whoever signed it. Raises ValueError for what is no token."""
    parts = token.strip().split(".")
    if len(parts) != 3:
        raise ValueError("not a token: it has other than three parts")
    claims: Claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    return claims


def creds_text(token: str, user: KeyPair) -> str:
    """The text of a `.creds` file: the token, and the seed that proves whose it is."""
    return _CREDS.format(jwt=token, seed=user.seed)


def token_of(creds: str) -> str:
    """The token in the text of a `.creds` file. Raises ValueError when there is none."""
    return _line_after("-----BEGIN NATS USER JWT-----", creds)


def seed_of(creds: str) -> str:
    """The seed in the text of a `.creds` file. Raises ValueError when there is none."""
    return _line_after("-----BEGIN USER NKEY SEED-----", creds)


def answer_to(nonce: str, creds: str) -> dict[str, str]:
    """What a client says to the server's challenge: its token, and that it has the seed (fields of CONNECT)."""
    return {"jwt": token_of(creds), "sig": _text(KeyPair(seed_of(creds)).sign(nonce.encode()))}


def _line_after(mark: str, text: str) -> str:
    lines = [line.strip() for line in text.splitlines()]
    try:
        return lines[lines.index(mark) + 1]
    except (ValueError, IndexError):
        raise ValueError("not the text of a .creds file") from None


def _permissions(allowed: Allowed | None) -> Claims:
    return {
        "pub": {} if allowed is None else {"allow": list(allowed.publish)},
        "sub": {} if allowed is None else {"allow": list(allowed.subscribe)},
        "subs": UNLIMITED if allowed is None else allowed.subscriptions,
        "data": UNLIMITED,
        "payload": UNLIMITED if allowed is None else allowed.payload,
        "allowed_connection_types": ["STANDARD", "WEBSOCKET"],
    }


def _scope(key: str, allowed: Allowed) -> Claims:
    return {"kind": "user_scope", "key": key, "role": "", "description": "", "template": _permissions(allowed)}


def _claims(kind: Kind, public: str, name: str, about: Claims) -> Claims:
    return {"sub": public, "name": name, "nats": {**about, "type": kind, "version": 2}}


def _part(value: Mapping[str, Any]) -> str:
    return _text(json.dumps(value, separators=(",", ":")).encode())


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
