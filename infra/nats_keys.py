"""Keys of the bus, made once in one directory, and the server's configuration that goes with them.

| file | holds | needed by |
|---|---|---|
| `operator.nk` | seed of the operator | nobody from day to day: it signed `operator.jwt` |
| `services.nk` | seed that signs users of our own two accounts | nobody from day to day: it signed the `.creds` here |
| `signing.nk` | seed that signs accounts | who issues credentials |
| `partners.nk` | seed that signs users of partners' accounts | who issues credentials |
| `system.creds` | user of the system account, for giving accounts to the server | who issues credentials |
| `service.creds` | user with every right on the events' account | every process of ours |
| `trial.creds` | user for a store agent that answers for all, in trials | trials |
| `accounts.json` | public keys of our two accounts, and of `services.nk` | who issues credentials |
| `operator.jwt` | who the operator is | the server, through its configuration |

All are readable by their owner only. No account has a seed of its own that anybody keeps: users are signed by signing
keys. The tokens of our two accounts are made from these files, the same each time.
"""

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from infra import bus_access
from infra.nats_jwt import Allowed, KeyPair, account_claims, creds_text, encode, operator_claims, user_claims
from infra.settings import Settings

_SECRET = 0o600
_FOLDER = 0o700
EVENTS_ACCOUNT = "TONGQU"


class KeysIncomplete(Exception):
    """A directory holds some of the keys, and not this one."""

    def __init__(self, missing: Path) -> None:
        super().__init__(
            f"{missing} is missing, while other keys of the bus are there: bring it back, or point "
            "TONGQU_NATS_KEYS to the directory that `tongqu bus setup` wrote"
        )


@dataclass(frozen=True)
class BusKeys:
    """The keys in `folder`, read when they are needed."""

    folder: Path

    @property
    def service_creds(self) -> Path:
        return self.folder / "service.creds"

    @property
    def trial_creds(self) -> Path:
        return self.folder / "trial.creds"

    @property
    def system_creds(self) -> Path:
        return self.folder / "system.creds"

    def provide(self) -> None:
        """Make what there is not. Safe to run again, and after a crash: `operator.jwt` is written last."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=_FOLDER)
        if (self.folder / "operator.jwt").exists():
            return
        operator = self._provide_key("operator.nk", KeyPair.new("operator"))
        signing = self._provide_key("signing.nk", KeyPair.new("operator"))
        self._provide_key("partners.nk", KeyPair.new("account"))
        services = self._provide_key("services.nk", KeyPair.new("account"))
        if not (self.folder / "accounts.json").exists():
            accounts = {name: KeyPair.new("account").public for name in ("events", "system")}
            self._write("accounts.json", json.dumps({**accounts, "services": services.public}))
        events, system = self.public("events"), self.public("system")
        self._provide_user("service.creds", events, services, "service", None)
        self._provide_user("trial.creds", events, services, "trial", bus_access.TRIAL)
        self._provide_user("system.creds", system, services, "desk", bus_access.SYSTEM)
        claims = operator_claims(operator.public, "tongqu", system_account=system, signing_keys=[signing.public])
        self._write("operator.jwt", encode(claims, operator, int(time.time())))

    def key(self, name: str) -> KeyPair:
        """Raises KeysIncomplete, and ValueError for a file that holds no seed."""
        return KeyPair(self._read(f"{name}.nk"))

    def public(self, name: Literal["events", "system", "services"]) -> str:
        """The public key of one of our accounts, or of what signs their users. Raises KeysIncomplete."""
        return str(json.loads(self._read("accounts.json"))[name])

    def events_account(self) -> str:
        """The token of the account that has the streams."""
        claims = account_claims(
            self.public("events"),
            EVENTS_ACCOUNT,
            jetstream=True,
            signing_keys=[self.public("services")],
            exports=bus_access.OFFERED,
        )
        return encode(claims, self.key("signing"), self._made_at())

    def system_account(self) -> str:
        claims = account_claims(self.public("system"), "SYS", signing_keys=[self.public("services")])
        return encode(claims, self.key("signing"), self._made_at())

    def server_config(self, resolver_dir: Path) -> str:
        """The part of the server's configuration that says whom it trusts and where it keeps accounts."""
        events, system = self.public("events"), self.public("system")
        return f"""operator: {json.dumps(self._read("operator.jwt"))}
system_account: {system}
resolver {{
  type: full
  dir: {json.dumps(str(resolver_dir))}
  allow_delete: false
  interval: "2m"
}}
resolver_preload {{
  {system}: {json.dumps(self.system_account())}
  {events}: {json.dumps(self.events_account())}
}}
"""

    def _made_at(self) -> int:
        """Equal tokens at every start: the server need not change what it has."""
        return int((self.folder / "operator.jwt").stat().st_mtime)

    def _provide_key(self, name: str, new: KeyPair) -> KeyPair:
        if not (self.folder / name).exists():
            self._write(name, new.seed)
        return KeyPair(self._read(name))

    def _provide_user(self, name: str, account: str, signed_by: KeyPair, who: str, allowed: Allowed | None) -> None:
        if not (self.folder / name).exists():
            user = KeyPair.new("user")
            token = encode(user_claims(user.public, who, account, allowed), signed_by, int(time.time()))
            self._write(name, creds_text(token, user))

    def _read(self, name: str) -> str:
        try:
            return (self.folder / name).read_text().strip()
        except FileNotFoundError:
            raise KeysIncomplete(self.folder / name) from None

    def _write(self, name: str, text: str) -> None:
        """Whole or not at all, and never readable by others."""
        new = self.folder / f"{name}.new"
        new.unlink(missing_ok=True)
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _SECRET), "w") as file:
            file.write(text if text.endswith("\n") else f"{text}\n")
        new.replace(self.folder / name)


def trial_arguments(settings: Settings) -> tuple[str, ...]:
    """For a store agent that answers for every location: its credentials and its inbox."""
    keys = BusKeys(Path(settings.require("nats_keys")))
    return ("--creds", str(keys.trial_creds), "--inbox", bus_access.TRIAL_INBOX)
