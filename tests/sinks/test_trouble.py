"""What can go wrong on the way to a receiver: each is a failure in words, with its class, and never more than that."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import socket
import ssl
import struct
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from schemas.delivery import MAX_ANSWER_BYTES, ErrorClass, Outcome
from sinks.answer import Answer, Meaning
from sinks.client import plain_answer
from tests.eventually import until
from tests.sinks.test_client import client_of, raw_server
from tests.sinks.worlds import Call, World, change_event, config_of, receiving, webhook


def certificate(folder: Path) -> ssl.SSLContext:
    """A server's context with a certificate that nobody has signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(private + made.public_bytes(Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


async def answer_of(url: str) -> Answer:
    async with client_of(connect_timeout="300ms") as client:
        return plain_answer(await client.post(url, b"{}", {}))


async def test_a_certificate_that_nobody_has_signed_is_a_failure_of_tls(tmp_path: Path) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=certificate(tmp_path))
    async with server:
        port = server.sockets[0].getsockname()[1]
        answer = await answer_of(f"https://127.0.0.1:{port}/secret-path")
    assert (answer.meaning, answer.error_class) == (Meaning.FAILED, ErrorClass.TLS)
    assert "certificate" in str(answer.error)
    assert "secret-path" not in str(answer.error)


async def test_a_server_that_speaks_no_tls_is_a_failure_of_tls() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with receiving() as receiver:
        answer = await answer_of(receiver.url.replace("http://", "https://"))
    assert (answer.meaning, answer.error_class) == (Meaning.FAILED, ErrorClass.TLS)


@contextlib.asynccontextmanager
async def full_backlog() -> AsyncIterator[str]:
    """A port whose queue of connections is full: the next is never answered."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"


async def test_a_connection_that_does_not_come_about_is_given_up_by_its_own_time() -> None:
    async with full_backlog() as url:
        answer = await answer_of(url)
    assert (answer.error_class, answer.error) == (ErrorClass.TIMEOUT, "no connection within 0.3 s")


async def test_each_kind_of_trouble_has_its_class() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n\r\n")

    async with raw_server(hang_up) as gone, raw_server(babble) as mail:
        found = {
            "gone": (await answer_of(gone)).error_class,
            "mail": (await answer_of(mail)).error_class,
            "closed": (await answer_of("http://127.0.0.1:9/")).error_class,
            "private": (await answer_of("http://10.0.0.1/")).error_class,
            "nowhere": (await answer_of("http://no-such-host.invalid/")).error_class,
        }
    assert found == {
        "gone": ErrorClass.CONNECTION,
        "mail": ErrorClass.PROTOCOL,
        "closed": ErrorClass.CONNECTION,
        "private": ErrorClass.ADDRESS_REFUSED,
        "nowhere": ErrorClass.DNS,
    }


@pytest.mark.parametrize(("status", "kind"), [(500, "status"), (404, "status"), (410, "gone"), (307, "redirect"), (204, None)])
async def test_a_status_has_a_class_too(status: int, kind: str | None) -> None:
    async def answering(call: Call) -> int:
        return status

    async with receiving(answering) as receiver:
        assert (await answer_of(receiver.url)).error_class == kind


async def test_a_gigabyte_of_answer_costs_16_kib() -> None:
    sent = 0

    async def gigabyte(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n")
        for _ in range(16384):
            writer.write(b"x" * 65536)
            await writer.drain()
            sent += 65536

    async with raw_server(gigabyte) as url, client_of(timeout="15s") as client:
        async with asyncio.timeout(5):
            reply = await client.post(url, b"{}", {})
    assert plain_answer(reply).meaning is Meaning.DELIVERED
    assert len(reply.body) == 16 * 1024
    assert sent < 8 * 1024 * 1024  # what sockets on loopback hold


async def test_a_small_answer_does_not_unfold_into_a_gigabyte() -> None:
    packer = zlib.compressobj(wbits=31)
    bomb = b"".join(packer.compress(bytes(1024 * 1024)) for _ in range(64)) + packer.flush()

    async def explode(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = f"HTTP/1.1 500 No\r\nContent-Encoding: gzip\r\nContent-Length: {len(bomb)}\r\n\r\n"
        writer.write(head.encode() + bomb)
        await writer.drain()

    async with raw_server(explode) as url, client_of() as client:
        reply = await client.post(url, b"{}", {})
    assert reply.body == bomb[: 16 * 1024]


async def test_a_record_holds_the_class_and_2_kib_of_the_answer(world: World) -> None:
    async def long_answer(call: Call) -> web.Response:
        return web.Response(status=500, text="." + "é" * 100_000)

    async with receiving(long_answer) as receiver, world.working(config_of(webhook("hook", receiver.url), retry_schedule=[])):
        await world.publish(change_event())
        await until(lambda: _recorded(world))
    (attempt,) = await world.attempts()
    assert (attempt.outcome, attempt.status_code, attempt.error_class) == (Outcome.DEAD, 500, ErrorClass.STATUS)
    assert attempt.answer == "." + "é" * (MAX_ANSWER_BYTES // 2 - 1)
    assert attempt.address == "127.0.0.1"
    assert (attempt.attempt, attempt.next_at) == (1, None)
    assert attempt.ms is not None


async def _recorded(world: World) -> bool:
    return len(await world.attempts()) == 1
