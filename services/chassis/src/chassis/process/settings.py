"""Settings common to all services: from the environment (`BATON_`, `__` between levels), frozen once read.

A variable whose name ends in `_FILE` names a file that has the value, for mounted secrets.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from ssl import SSLContext, create_default_context
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

PREFIX = "BATON_"


class Section(BaseModel):
    """A group of settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Kafka(Section):
    """The broker."""

    bootstrap_servers: str = Field("127.0.0.1:19092", description="host:port of brokers, comma-separated")
    prefix: str = Field("", description="put before every topic and group, so that deployments can share a broker")
    tls: bool = Field(False, description="speak TLS; certificate and host name of each broker are checked")
    ca_file: Path | None = Field(None, description="file of the authorities to trust (PEM); the system's without")
    username: str | None = Field(None, description="SASL user name; needs password and tls")
    password: SecretStr | None = Field(None, description="its password")
    mechanism: Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"] = Field("SCRAM-SHA-512", description="SASL mechanism")

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password are needed together")
        if not self.tls and (self.username or self.ca_file):
            raise ValueError("ca_file, username and password need tls=true: a password is not sent in the clear")
        return self

    def client(self) -> dict[str, Any]:
        """The arguments of every client: where the brokers are, and how to speak to them."""
        arguments: dict[str, Any] = {"bootstrap_servers": self.bootstrap_servers}
        if self.tls:
            arguments |= {"security_protocol": "SSL", "ssl_context": _trusting(self.ca_file)}
        if self.username is not None and self.password is not None:
            arguments |= {
                "security_protocol": "SASL_SSL",
                "sasl_mechanism": self.mechanism,
                "sasl_plain_username": self.username,
                "sasl_plain_password": self.password.get_secret_value(),
            }
        return arguments


class Database(Section):
    """Postgres."""

    url: SecretStr = Field(description="postgresql://user:password@host:port/database")
    tls: bool = Field(False, description="speak TLS; the server's certificate and host name are checked (verify-full)")
    ca_file: Path | None = Field(None, description="file of the authorities to trust (PEM); the system's without")

    @classmethod
    def local(cls, role: str) -> Database:
        """The database of `make run`, under the service's own role."""
        return cls(url=SecretStr(f"postgresql://{role}@127.0.0.1:15432/baton"))

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if self.ca_file and not self.tls:
            raise ValueError("ca_file needs tls=true")
        return self

    def ssl(self) -> SSLContext | None:
        """How the connection is encrypted; None where it is not."""
        return _trusting(self.ca_file) if self.tls else None


def _trusting(ca_file: Path | None) -> SSLContext:
    """Checks certificate and host name. Ends the process where the file cannot be read."""
    try:
        return create_default_context(cafile=ca_file)
    except OSError as error:  # ssl.SSLError is one
        raise SystemExit(f"{ca_file}: no certificates of authorities ({error.strerror or 'not PEM'})") from None


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
