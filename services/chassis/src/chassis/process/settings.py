"""Settings common to all services: from the environment (`BATON_`, `__` between levels), frozen once read.

A variable whose name ends in `_FILE` names a file that has the value, for mounted secrets.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

PREFIX = "BATON_"


class Section(BaseModel):
    """A group of settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Kafka(Section):
    """The broker."""

    bootstrap_servers: str = Field("127.0.0.1:19092", description="host:port of brokers, comma-separated")
    prefix: str = Field("", description="put before every topic and group, so that deployments can share a broker")


class Database(Section):
    """Postgres."""

    url: SecretStr = Field(description="postgresql://user:password@host:port/database")

    @classmethod
    def local(cls, role: str) -> Database:
        """The database of `make run`, under the service's own role."""
        return cls(url=SecretStr(f"postgresql://{role}@127.0.0.1:15432/baton"))


class Ops(Section):
    """The HTTP port for operators: /livez, /readyz, /metrics."""

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(description="port to listen on")


class Log(Section):
    """The log on standard output, one JSON object a line."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="least level that is written")


class Worker(Section):
    """The partition workers."""

    batch_records: int = Field(5000, ge=1, description="most records in one transaction")
    cache_leads: int = Field(50_000, ge=1, description="most leads whose files each worker keeps in memory")
    tick: timedelta = Field(timedelta(milliseconds=250), description="how often leads that are due are looked for")
    stall: timedelta = Field(timedelta(seconds=60), description="no accepted offset commit for so long: exit 71")


class Settings(BaseSettings):
    """Base of every service's settings."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        frozen=True,
        extra="ignore",
        nested_model_default_partial_update=True,
    )

    kafka: Kafka = Field(Kafka(), description=Kafka.__doc__ or "")
    log: Log = Field(Log(), description=Log.__doc__ or "")

    @classmethod
    def read(cls, file: Path | None = None) -> Self:
        """The settings of this process; `file`, of NAME=value lines, has what the environment has not.

        Ends the process with a sentence for each wrong variable, never showing a value.
        """
        for name in [name for name in os.environ if name.startswith(PREFIX) and name.endswith("_FILE")]:
            path = os.environ.pop(name)  # or it would be read as a setting of that name
            os.environ.setdefault(name.removesuffix("_FILE"), _mounted(name, Path(path)))
        try:
            return cls(_env_file=file)
        except (SettingsError, UnicodeError) as error:
            said = "not UTF-8" if isinstance(error, UnicodeError) else str(error)
            raise SystemExit(f"{file or 'environment'}: {said}") from None
        except ValidationError as error:
            wrong = error.errors(include_url=False, include_input=False)
            raise SystemExit("\n".join(f"{_variable(each['loc'])}: {each['msg']}" for each in wrong)) from None


def _mounted(name: str, path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError as error:
        raise SystemExit(f"{name}: {path} cannot be read: {error.strerror}") from None


def _variable(place: tuple[int | str, ...]) -> str:
    return PREFIX + "__".join(str(part) for part in place).upper()


class JudgeSettings(Settings):
    """Settings of a service with partition workers."""

    database: Database
    ops: Ops
    worker: Worker = Field(Worker(), description=Worker.__doc__ or "")
    policies: Path = Field(
        Path("deploy/policies/demo"), description="folder of one policy's versions, <version>.yaml each"
    )
