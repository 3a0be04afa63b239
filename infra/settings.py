"""Settings: from the environment (TONGQU_…), else from the running system's state file, else defaults."""

import json
from pathlib import Path
from typing import Any

from pydantic import Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

STATE_FILE = "state.json"
"""In the data directory: addresses, process ids and the operator's API key of a running system. Mode 0600."""


class NotConfigured(Exception):
    """An address is needed that neither the environment nor a running system gives."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is not set: set TONGQU_{name.upper()}, or start a system here with `make up`")


class Settings(BaseSettings):
    """All that can be set. Times say their unit in the name."""

    model_config = SettingsConfigDict(env_prefix="TONGQU_", extra="ignore")

    data_dir: Path = Field(default=Path(".tongqu"), description="Data, logs and state of the embedded servers.")
    mongo_url: str | None = Field(default=None, description="MongoDB replica set; without it one is started.")
    mongo_database: str = "tongqu"
    mongo_cache_gb: float = Field(default=1.0, ge=0.25, description="Cache of the embedded MongoDB, in GiB.")
    nats_url: str | None = Field(default=None, description="NATS with JetStream; without it one is started.")
    nats_sync_always: bool = Field(default=False, description="Embedded NATS: sync to disk before every answer.")
    temporal_address: str | None = Field(default=None, description="host:port; without it a server is started.")
    temporal_namespace: str = "default"
    temporal_ui_url: str | None = None
    payment_url: str | None = Field(default=None, description="Payment provider; `up` and `demo` start a sandbox.")
    gateway_url: str | None = Field(default=None, description="Where the HTTP API answers.")
    gateway_host: str = "127.0.0.1"
    gateway_port: int = Field(default=0, ge=0, le=65535, description="0 takes a free port.")
    operator_key: str | None = Field(default=None, description="API key that the `tongqu` command uses.")
    batch_max: int = Field(default=500, ge=1, le=1000, description="Most orders that one workflow carries.")
    batches_starting: int = Field(default=4, ge=1, description="Batches that may wait for their first step at once.")
    bell_urgent_ms: int = Field(default=50, ge=0)
    bell_progress_ms: int = Field(default=1000, ge=0)
    bell_rings_per_s: float = Field(default=10, gt=0)
    order_lines_max: int = Field(default=200, ge=1)
    batch_request_max: int = Field(default=1000, ge=1)

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
            data_dir = {**env_settings(), **init_settings()}.get("data_dir", ".tongqu")
            return read_state(Path(data_dir))

        return init_settings, env_settings, from_state

    def require(self, name: str) -> str:
        """An address that must be known. Raises NotConfigured, which says how to set it."""
        value = getattr(self, name)
        if not value:
            raise NotConfigured(name)
        return str(value)


def read_state(data_dir: Path) -> dict[str, Any]:
    """What a running system has written about itself; empty when none runs here."""
    try:
        state = json.loads((data_dir / STATE_FILE).read_text())
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}


def write_state(data_dir: Path, state: dict[str, Any]) -> None:
    path = data_dir / STATE_FILE
    path.touch(mode=0o600, exist_ok=True)
    path.write_text(json.dumps(state, indent=1))


def clear_state(data_dir: Path) -> None:
    (data_dir / STATE_FILE).unlink(missing_ok=True)
