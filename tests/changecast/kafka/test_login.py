"""`kafka.embedded_auth: sasl`: who has no login is refused, on both listeners; who has one notices nothing."""

from __future__ import annotations

import asyncio
import re
import stat
import struct
from pathlib import Path

import orjson
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

from changecast.kafka import EmbeddedBroker
from changecast.kafka.errors import BrokerFailed
from changecast.kafka.login import logged_in, make_login, read_login
from changecast.kafka.ready import cluster_at
from runtime.kafka import Cluster
from schemas import redaction
from schemas.config import Kafka
from tests.eventually import until
from tests.producers.worlds import changecast

pytestmark = pytest.mark.kafka  # brokers of its own

TOPIC = "kept"


def kafka_of(data_dir: Path) -> Kafka:
    return logged_in(Kafka(embedded_auth="sasl"), data_dir)


async def answers(port: int, api: int, version: int, body: bytes) -> bool:
    """Whether a server of Kafka's protocol answers a request of somebody who has not logged in."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    request = struct.pack(">hhih", api, version, 1, -1) + body
    writer.write(struct.pack(">i", len(request)) + request)
    try:
        async with asyncio.timeout(20):
            await writer.drain()
            return await reader.read(1) != b""
    except ConnectionError:
        return False
    finally:
        writer.close()


async def metadata_is_given(port: int) -> bool:
    return await answers(port, api=3, version=1, body=struct.pack(">i", 0))


async def quorum_is_described(port: int) -> bool:
    """DescribeQuorum of the metadata's only partition, which the controller's listener answers."""
    name = b"__cluster_metadata"
    topics = bytes([2, len(name) + 1]) + name + bytes([2]) + struct.pack(">i", 0) + bytes(3)
    return await answers(port, api=55, version=0, body=b"\0" + topics)


def controller_port(broker: EmbeddedBroker) -> int:
    match = re.search(r"CONTROLLER://127\.0\.0\.1:(\d+)", broker.home.properties.read_text())
    assert match is not None
    return int(match[1])


async def refused_words(folder: Path, kafka: dict[str, object]) -> str:
    """What a command says to an operator whose config has this login."""
    path = folder / "wrong.yaml"
    path.write_bytes(orjson.dumps({"data_dir": "other", "kafka": kafka}))
    code, shown = await output_of(path, "provider", "list")
    assert code == 1
    return shown


@pytest.mark.timeout(200)
async def test_a_data_directory_without_login_gets_one_and_refuses_who_has_none(tmp_path: Path) -> None:
    plain = EmbeddedBroker(tmp_path, port=0)
    try:
        servers = await plain.start()
        port = int(servers.split(":")[1])
        assert await metadata_is_given(port)
        assert await quorum_is_described(controller_port(plain))
        admin = AIOKafkaAdminClient(bootstrap_servers=servers)
        await admin.start()
        await admin.create_topics([NewTopic(TOPIC, 1, 1)])
        await admin.close()
        async with AIOKafkaProducer(bootstrap_servers=servers) as producer:
            await producer.send_and_wait(TOPIC, b"from before")
    finally:
        await plain.stop()

    broker = EmbeddedBroker(tmp_path, port=0, sasl=True)
    try:
        servers = await broker.start()
        port = int(servers.split(":")[1])
        assert not await metadata_is_given(port)
        assert not await quorum_is_described(controller_port(broker))
        assert await cluster_at(port) is None
        wrong = {**Cluster(kafka_of(tmp_path), servers).connection(), "sasl_plain_password": "not-the-password"}
        with pytest.raises(KafkaError):
            async with AIOKafkaProducer(**wrong):
                pass

        away = await refused_words(tmp_path, {**wrong, "security_protocol": "SASL_PLAINTEXT"})
        assert f"{servers} takes connections, but gave this client no answer" in away
        assert "kafka.sasl_" in away
        assert "not-the-password" not in away

        cluster = Cluster(kafka_of(tmp_path), servers)
        async with cluster.transactional_producer("t") as producer, producer.transaction():
            await producer.send(TOPIC, b"and after")
        async with cluster.consumer(TOPIC, group_id="g") as consumer, asyncio.timeout(30):
            assert [(await consumer.getone()).value for _ in range(2)] == [b"from before", b"and after"]
        with pytest.raises(BrokerFailed, match="asks for a login"):
            await EmbeddedBroker(tmp_path, port=0).start()
    finally:
        await broker.stop()

    login = read_login(broker.home.root)
    assert login is not None
    for password in (login.password, login.controller_password):
        holding = [file for file in tmp_path.rglob("*") if file.is_file() and password.encode() in file.read_bytes()]
        assert {file.name for file in holding} == {"login.json", "server.properties"}
        assert {stat.S_IMODE(file.stat().st_mode) for file in holding} == {0o600}


def test_a_login_is_made_once_and_redacted_by_whoever_reads_it(tmp_path: Path) -> None:
    login = make_login(tmp_path)
    assert make_login(tmp_path) == login
    assert stat.S_IMODE((tmp_path / "login.json").stat().st_mode) == 0o600
    assert redaction.redact(f"{login.password} {login.controller_password} {login!r}").startswith("*** *** <")
    assert login.password not in repr(login)


def test_a_cluster_elsewhere_is_given_no_login(tmp_path: Path) -> None:
    (tmp_path / "kafka").mkdir()
    make_login(tmp_path / "kafka")
    elsewhere = Kafka(bootstrap_servers="kafka.test:9092", embedded_auth="sasl")
    assert logged_in(elsewhere, tmp_path) is elsewhere
    assert logged_in(Kafka(), tmp_path).sasl_mechanism is None
    assert logged_in(Kafka(embedded_auth="sasl"), tmp_path).sasl_mechanism == "PLAIN"


CONFIG = {"data_dir": "data", "kafka": {"embedded_port": 0, "embedded_auth": "sasl"}}


async def output_of(path: Path, *words: str) -> tuple[int | None, str]:
    async with changecast(*words, "-c", str(path)) as command:
        await asyncio.wait_for(command.process.wait(), 60)
    return command.process.returncode, "\n".join(command.lines)


@pytest.mark.timeout(240)
async def test_up_and_all_commands_log_in(tmp_path: Path) -> None:
    path = tmp_path / "changecast.yaml"
    path.write_bytes(orjson.dumps(CONFIG))
    environ = {"TMDB_TOKEN": "", "PBS_KEY": "", "TVDB_APIKEY": ""}
    async with changecast("up", "-c", str(path), environ=environ) as up:
        await until(up.said("added"), 120, "a change of the sandbox is published")
        for words in (
            ("provider", "list"), ("dead", "list"), ("deliveries", "list"), ("endpoints", "list"),
            ("kafka", "status"),
        ):  # fmt: skip
            code, shown = await output_of(path, *words)
            assert code == 0, f"{words}: {shown}"
        code, shown = await output_of(path, "kafka", "properties")
        assert code == 0, shown
        given = dict(line.split("=", 1) for line in shown.splitlines())
        assert (given["security.protocol"], given["sasl.mechanism"]) == ("SASL_PLAINTEXT", "PLAIN")
        user, password = re.findall(r'(?:username|password)="([^"]+)"', given["sasl.jaas.config"])
        async with AIOKafkaConsumer(
            "changecast.changes.tmdb", "changecast.changes.pbs", "changecast.changes.tvdb",
            bootstrap_servers=given["bootstrap.servers"], security_protocol="SASL_PLAINTEXT", sasl_mechanism="PLAIN",
            sasl_plain_username=user, sasl_plain_password=password, auto_offset_reset="earliest",
        ) as consumer:  # fmt: skip
            assert (await asyncio.wait_for(consumer.getone(), 30)).value
        logs = "\n".join(log.read_text(errors="replace") for log in tmp_path.rglob("*.log"))
        assert password not in logs + "\n".join(up.lines)
        assert "in the clear" not in logs
        up.process.terminate()
        assert await asyncio.wait_for(up.process.wait(), 60) == 0, "\n".join(up.lines)


async def test_properties_without_a_login_need_none(tmp_path: Path) -> None:
    path = tmp_path / "changecast.yaml"
    path.write_bytes(orjson.dumps({"data_dir": "data", "kafka": {"embedded_port": 19092}}))
    assert await output_of(path, "kafka", "properties") == (0, "bootstrap.servers=127.0.0.1:19092\nsecurity.protocol=PLAINTEXT")
    path.write_bytes(orjson.dumps(CONFIG))
    code, shown = await output_of(path, "kafka", "properties")
    assert code == 1
    assert "there is no login yet" in shown
