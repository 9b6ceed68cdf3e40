"""The address of a webhook reaches the receiver byte for byte."""

from __future__ import annotations

import asyncio
import base64

import pytest

from sinks.client import plain_answer
from tests.sinks.test_client import client_of


async def _request_of(address: str) -> list[str]:
    """The lines of the request that a post to this address makes."""
    heads: asyncio.Queue[bytes] = asyncio.Queue()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.put_nowait(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server, client_of() as client:
        port = server.sockets[0].getsockname()[1]
        reply = await client.post(address.replace("PORT", str(port)), b"{}", {"X-Sent": "as it is"})
        assert reply.status == 200, plain_answer(reply)
        return (await heads.get()).decode("latin-1").replace(f":{port}", ":PORT").split("\r\n")


@pytest.mark.parametrize(
    "target",
    [
        "/?sp=%2Ftriggers%2Fmanual%2Frun&sig=rX%2FXCC2w%3D",
        "/a%2fb/../c/./d//e;x=1?b=2&a=1&a=%7e~+%20",
        "//twice",
        "/%zz?x={y}|z&empty=&&",
        "/a@b:c",
        "/x?a?",
    ],
)
async def test_path_and_query_arrive_byte_for_byte(target: str) -> None:
    lines = await _request_of(f"http://127.0.0.1:PORT{target}")
    assert lines[0] == f"POST {target} HTTP/1.1"
    assert "Host: 127.0.0.1:PORT" in lines


async def test_an_address_without_a_path_is_that_of_the_root() -> None:
    assert (await _request_of("http://127.0.0.1:PORT"))[0] == "POST / HTTP/1.1"
    assert (await _request_of("http://127.0.0.1:PORT?x=%2F"))[0] == "POST /?x=%2F HTTP/1.1"


async def test_a_login_in_the_address_is_sent_as_its_bytes_and_not_in_the_request_line() -> None:
    lines = await _request_of("http://us%3Aer:p%40%C3%A4%E2%80%A6@127.0.0.1:PORT/x")
    assert lines[0] == "POST /x HTTP/1.1"
    (login,) = [line for line in lines if line.lower().startswith("authorization: ")]
    assert base64.b64decode(login.split()[-1]) == "us:er:p@ä…".encode()


async def test_an_international_name_is_looked_up_and_called_as_idna(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    async with client_of() as client:

        async def resolve(host: str, port: int = 0, family: int = 0) -> list[dict[str, object]]:
            asked.append(host)
            raise OSError(None, "asked")

        monkeypatch.setattr(client._resolver, "resolve", resolve)
        await client.post("http://bücher.example/x", b"{}", {})
    assert asked == ["xn--bcher-kva.example"]
