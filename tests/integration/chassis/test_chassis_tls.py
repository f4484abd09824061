"""The clients of a service and of the desk speak TLS and SASL to a real broker, and to no false one."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from pydantic import SecretStr, ValidationError

from baton_local.kafka import Kafka as Broker
from baton_local.kafka import Listener
from baton_local.ports import HeldPorts
from baton_local.topics import create_topics
from chassis.kafka.publisher import Publisher, Record
from chassis.process.failures import Transient
from chassis.process.settings import Kafka
from desk.audit.topics import Unreachable, connected

USER, PASSWORD = "scorer", "right"
PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule required"


@dataclass(frozen=True)
class Secure:
    """A broker's port with TLS, one with SASL, too, and the file of the authority that signed its certificate."""

    tls: str
    sasl: str
    ca_file: Path


@pytest.fixture(scope="module")
async def broker(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Secure]:
    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    held = authority.issue_cert("127.0.0.1")
    chain = "".join(each.bytes().decode() for each in held.cert_chain_pems).replace("\n", "\\n")
    key = load_pem_private_key(held.private_key_pem.bytes(), None)
    pkcs8 = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()  # Kafka reads no other
    certificate = {
        "ssl.keystore.type": "PEM",
        "ssl.keystore.certificate.chain": chain,
        "ssl.keystore.key": pkcs8.replace("\n", "\\n"),
    }
    sasl = {
        "sasl.enabled.mechanisms": "PLAIN",
        "plain.sasl.jaas.config": f'{PLAIN} user_{USER}="{PASSWORD}";',
    }
    with HeldPorts() as ports:
        plain, controller, tls, secure = (ports.take() for _ in range(4))
        listeners = [
            Listener("TLS", tls, tls, "SSL", certificate),
            Listener("SASL", secure, secure, "SASL_SSL", certificate | sasl),
        ]
        kafka = Broker(folder / "kafka", folder / "log", plain, controller, listeners)
        await kafka.start()
        try:
            await create_topics(kafka.bootstrap_servers)
            yield Secure(f"127.0.0.1:{tls}", f"127.0.0.1:{secure}", folder / "ca.pem")
        finally:
            await kafka.stop(5)


def settings(broker: Secure, way: str, **more: Any) -> Kafka:
    """The settings by which a client gets in."""
    where = {"bootstrap_servers": getattr(broker, way), "tls": True, "ca_file": broker.ca_file}
    if way == "sasl":
        where |= {"username": USER, "password": SecretStr(PASSWORD), "mechanism": "PLAIN"}
    return Kafka(**where | more)


async def publish(kafka: Kafka) -> None:
    async with Publisher(kafka) as publisher:
        await publisher.publish([Record("events-rejected", None, b"{}")])


@pytest.mark.parametrize("way", ["tls", "sasl"])
async def test_services_write_and_the_desk_reads_over_tls(broker: Secure, way: str) -> None:
    kafka = settings(broker, way)
    await publish(kafka)
    async with connected(kafka.client(), kafka.prefix) as topics:
        assert "events-rejected" in await topics.names()


@pytest.mark.parametrize("wrong", ["authority", "host name", "password", "no tls"])
async def test_a_broker_that_does_not_prove_who_it_is_and_a_wrong_password_are_refused(
    broker: Secure, wrong: str, tmp_path: Path
) -> None:
    kafka = settings(broker, "sasl")
    if wrong == "authority":
        trustme.CA().cert_pem.write_to_path(str(tmp_path / "other.pem"))
        kafka = settings(broker, "sasl", ca_file=tmp_path / "other.pem")
    elif wrong == "host name":
        kafka = settings(broker, "sasl", bootstrap_servers=broker.sasl.replace("127.0.0.1", "localhost"))
    elif wrong == "password":
        kafka = settings(broker, "sasl", password=SecretStr("wrong"))
    else:
        kafka = Kafka(bootstrap_servers=broker.tls)
    with pytest.raises(Transient) as refused:
        await publish(kafka)
    with pytest.raises(Unreachable) as unreachable:
        async with connected(kafka.client(), kafka.prefix):
            pass
    assert PASSWORD not in f"{refused.value} {unreachable.value}"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"username": "scorer", "tls": True}, "needed together"),
        ({"username": "scorer", "password": "x"}, "not sent in the clear"),
        ({"ca_file": "/nowhere"}, "need tls=true"),
    ],
)
def test_settings_that_do_not_agree_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Kafka(**given)


def test_a_file_of_authorities_that_is_none_ends_the_process_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(SystemExit, match=r"ca\.pem: no certificates of authorities"):
        Kafka(tls=True, ca_file=tmp_path / "ca.pem").client()
