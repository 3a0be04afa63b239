"""Settings: from the environment (TONGQU_…), else from the running system's state file, else defaults."""

import json
import os
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

STATE_FILE = "state.json"
"""In the data directory: addresses, process ids and the operator's API key of a running system. Mode 0600."""
_DATA_DIR = Path(".tongqu")
_WRITER = "pid"


class NotConfigured(Exception):
    """An address is needed that neither the environment nor a running system gives."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is not known: set TONGQU_{name.upper()}, or start a system with `make up`")


class Settings(BaseSettings):
    """All that can be set, each by TONGQU_ and its name in capitals. `_ms` are milliseconds."""

    model_config = SettingsConfigDict(env_prefix="TONGQU_", extra="ignore")

    data_dir: Path = Field(default=_DATA_DIR, description="Data, logs and state of the embedded servers.")
    mongo_url: str | None = Field(default=None, description="MongoDB replica set; without it one is started.")
    mongo_database: str = Field(default="tongqu", min_length=1, description="Name of the database.")
    mongo_cache_gb: float = Field(default=2.0, ge=0.25, description="Cache of the embedded MongoDB, in GiB.")
    nats_url: str | None = Field(default=None, description="NATS with JetStream; without it one is started.")
    nats_creds: Path | None = Field(default=None, description="File with the credentials of our processes on NATS.")
    nats_keys: Path | None = Field(
        default=None, description="Directory with the keys of the bus; who issues credentials needs it."
    )
    nats_sync_always: bool = Field(
        default=False, description="Embedded NATS: sync to disk before every answer, not every few seconds."
    )
    temporal_address: str | None = Field(default=None, description="host:port; without it one is started.")
    temporal_namespace: str = Field(default="default", min_length=1, description="Where the workflows run.")
    temporal_ui_url: str | None = Field(default=None, description="Temporal UI, for the links to workflows.")
    worker_deployment: str = Field(
        default="tongqu", pattern=r"^[A-Za-z0-9_-]+$", description="Temporal worker deployment of the workers."
    )
    worker_build: str | None = Field(
        default=None, min_length=1, description="Build id of this version's workers; without it they are unversioned."
    )
    payment_url: str | None = Field(default=None, description="Payment provider; without it a sandbox runs.")
    carrier_url: str | None = Field(default=None, description="Carriers' labels; without it a sandbox runs.")
    carrier_day_s: float = Field(default=4, gt=0, description="Seconds of a day of the sandbox's parcels.")
    bank_url: str | None = Field(default=None, description="Bank for small deposits; without it a sandbox runs.")
    signature_url: str | None = Field(default=None, description="Signature provider; without it a sandbox runs.")
    signature_key: str | None = Field(default=None, repr=False, description="Key under which it knows us.")
    signature_secret: str | None = Field(default=None, repr=False, description="Of its callbacks' HMAC, base64.")
    signature_roots: Path | None = Field(
        default=None, description="PEM file with the root certificates that signatures must lead to."
    )
    retailer_name: str = Field(default="通衢示范零售有限公司", description="Party A of agreements.")
    retailer_credit_code: str = Field(default="91330100MA2TQDEM32", description="Its unified social credit code.")
    retailer_address: str = Field(default="浙江省杭州市", description="Its address.")
    retailer_signatory: str = Field(default="运营负责人", description="Who signs for it.")
    gateway_url: str | None = Field(default=None, description="Where the HTTP API answers.")
    gateway_host: str = Field(default="127.0.0.1", description="Interface that the HTTP API listens on.")
    gateway_port: int = Field(default=0, ge=0, le=65535, description="Its port; 0 takes a free one.")
    trusted_proxies: str | None = Field(
        default=None, description="Addresses of reverse proxies, with commas, whose X-Forwarded-… headers count."
    )
    codec_keys: str | None = Field(
        default=None,
        repr=False,
        description="Keys of personal data, id:base64,id2:base64; the first encrypts. Else kept in the data directory.",
    )
    operator_key: str | None = Field(default=None, repr=False, description="API key of the `tongqu` command.")
    batch_max: int = Field(default=500, ge=1, le=1000, description="Most orders that one workflow carries.")
    batches_starting: int = Field(
        default=4, ge=1, description="Claimed batches that may wait for their first step at once."
    )
    bell_urgent_ms: int = Field(
        default=50, ge=0, description="Rings for cancel, refusal and payment are gathered that long."
    )
    bell_progress_ms: int = Field(
        default=1000, ge=0, description="Rings for acceptance and progress are gathered that long."
    )
    bell_rings_per_s: float = Field(
        default=25, gt=0, description="Small batches' rings, all together, without urgent ones."
    )
    order_lines_max: int = Field(default=200, ge=1, description="Most lines in one order.")
    batch_request_max: int = Field(default=1000, ge=1, description="Most orders in one request.")

    backlog_max: int = Field(
        default=50_000, ge=1, description="Accepted orders that wait for a batch; beyond them callers are sent away."
    )

    key_calls_per_s: float = Field(default=5_000, gt=0, description="Requests of one key, in each gateway.")
    key_calls_burst: int = Field(default=10_000, ge=1, description="Of them at once, after a pause.")
    partner_calls_per_s: float = Field(default=50, gt=0, description="Requests of one partner's key.")
    partner_calls_burst: int = Field(default=200, ge=1, description="Of them at once, after a pause.")
    keyless_calls_per_s: float = Field(default=1, gt=0, description="Requests without a key, from one address.")
    keyless_calls_burst: int = Field(default=30, ge=1, description="Of them at once, after a pause.")
    key_guesses_per_s: float = Field(default=10, gt=0, description="Requests with unknown keys, from one address.")
    key_guesses_burst: int = Field(default=100, ge=1, description="Of them at once, after a pause.")
    webhook_private: bool = Field(
        default=False, description="For development: webhooks may go to private addresses, and without TLS."
    )
    webhook_within_s: float = Field(default=10, gt=0, description="The most that a webhook's endpoint may take.")
    webhook_retry_s: float = Field(default=1, gt=0, description="The first pause after a failure; doubled each time.")
    webhook_retry_max_s: float = Field(default=3_600, gt=0, description="The longest pause between tries.")
    webhook_gives_up_s: float = Field(default=3 * 86_400, gt=0, description="Failing for so long pauses a webhook.")

    _asks_running_system: ClassVar[bool] = True

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[Any, ...]:
        def from_state() -> dict[str, Any]:
            data_dir = {**env_settings(), **init_settings()}.get("data_dir", _DATA_DIR)
            return read_state(Path(data_dir))

        return (init_settings, env_settings, from_state) if cls._asks_running_system else (init_settings, env_settings)

    def require(self, name: str) -> str:
        """An address that must be known. Raises NotConfigured, which says how to set it."""
        value = getattr(self, name)
        if not value:
            raise NotConfigured(name)
        return str(value)


def read_state(data_dir: Path) -> dict[str, Any]:
    """What a running system has written about itself; empty when none runs, also after one was killed."""
    try:
        state = json.loads((data_dir / STATE_FILE).read_text())
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) and _lives(state.get(_WRITER)) else {}


def write_state(data_dir: Path, state: dict[str, Any]) -> None:
    """By the process whose end is the end of the system: what it wrote counts as long as it lives."""
    new = data_dir / f"{STATE_FILE}.new"
    new.unlink(missing_ok=True)
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        json.dump({**state, _WRITER: os.getpid()}, file, indent=1)
    new.replace(data_dir / STATE_FILE)


def clear_state(data_dir: Path) -> None:
    (data_dir / STATE_FILE).unlink(missing_ok=True)


def _lives(pid: object) -> bool:
    if not isinstance(pid, int):
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


class EnvironmentSettings(Settings):
    """What the environment says, whatever system may be running here; for starting one."""

    _asks_running_system: ClassVar[bool] = False
