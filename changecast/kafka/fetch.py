"""Downloading one jar: from a Maven repository, checked against its pinned hash, and tried again a few times."""

from __future__ import annotations

import hashlib
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import httpx

from changecast.kafka.errors import NoNetwork, WrongHash
from changecast.kafka.lock import Jar
from runtime.outbound import Outbound

OnBytes = Callable[[int], None]
Fetch = Callable[[Jar, Path, OnBytes], Path]
"""fetch(jar, folder, on_bytes): download into `folder` (its own, empty) and return the file. Raises ConnectionError when
the repository does not answer or breaks off."""

PAUSES = (0.5, 2.0, 5.0)
"""Seconds before the second, third and fourth attempt: long enough for a router to come back, short enough for a person."""
_WRONG_LIMIT = 2  # a wrong hash twice is no broken line any more: something else is served there
_TIMEOUT = 30  # seconds without a byte


class FetchStopped(Exception):
    """The download was told to end."""


def fetch_verified(
    fetch: Fetch, jar: Jar, folder: Path, on_bytes: OnBytes, stop: threading.Event, pauses: Sequence[float] = PAUSES
) -> Path:
    """Download `jar` into the new folder `folder` and return the file, whose SHA-256 is the pinned one.

    Raises NoNetwork, WrongHash, FetchStopped; OSError of the disk is passed on."""
    wrong: list[str] = []
    for pause in (*pauses, None):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        came = 0

        def count(number: int) -> None:
            nonlocal came
            came += number
            on_bytes(number)

        try:
            path = fetch(jar, folder, count)
        except ConnectionError as error:
            failure: Exception = error
        else:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            if digest == jar.sha256:
                on_bytes(jar.size - came)
                return path
            wrong.append(digest)
            failure = ValueError(digest)
            if len(wrong) >= _WRONG_LIMIT:
                break
        on_bytes(-came)
        if pause is not None and stop.wait(pause):
            raise FetchStopped
    if wrong:
        raise WrongHash(
            f"{jar.coordinate} has the SHA-256 {wrong[-1]}; pinned is {jar.sha256}.",
            "Something between here and the repository changes the file (a proxy, a mirror, a captive portal): "
            "try another network. Don't change jars.lock to fit.",
        )
    raise NoNetwork(
        f"{jar.coordinate} could not be downloaded: {failure}",
        "Check the network (network.proxy or HTTPS_PROXY, when a proxy is needed) and start again: what is there already stays. "
        "Or name a running Kafka under kafka.bootstrap_servers.",
    )


def maven_fetch(outbound: Outbound, repositories: Sequence[str] | None = None) -> Fetch:
    """A `Fetch` from these Maven repositories; None: the public one that jgo knows."""

    def fetch(jar: Jar, folder: Path, on_bytes: OnBytes) -> Path:
        failure: ConnectionError | None = None
        for url in _urls(jar, folder, repositories):
            try:
                return _download(url, folder / jar.file_name, on_bytes, outbound)
            except ConnectionError as error:
                failure = error
        raise failure or ConnectionError("no repository is known")

    return fetch


def _urls(jar: Jar, folder: Path, repositories: Sequence[str] | None) -> Iterator[str]:
    """Where each repository has the jar."""
    # Imported here: it takes 0.3 s, and a start with a full cache does without.
    from jgo.maven import MavenContext

    context = MavenContext(repo_cache=folder)
    artifact = context.project(jar.group, jar.artifact).at_version(jar.version).artifact(jar.classifier)
    path = artifact.component.path_prefix.as_posix()
    for repository in context.remote_repos.values() if repositories is None else repositories:
        yield f"{str(repository).rstrip('/')}/{path}/{artifact.filename}"


def _download(url: str, path: Path, on_bytes: OnBytes, outbound: Outbound) -> Path:
    proxy = outbound.proxy_for(url)
    client = httpx.Client(
        verify=outbound.ssl_context,
        proxy=None if proxy is None else proxy.for_httpx(),
        trust_env=False,
        timeout=_TIMEOUT,
        follow_redirects=True,
    )
    try:
        with client, client.stream("GET", url) as answer:
            if answer.status_code != httpx.codes.OK:
                raise ConnectionError(f"the repository answers with status {answer.status_code}")
            with path.open("wb") as file:
                for chunk in answer.iter_raw():
                    file.write(chunk)
                    on_bytes(len(chunk))
    except httpx.HTTPError as error:
        raise ConnectionError(_plain(error)) from error
    return path


def _plain(error: Exception) -> str:
    """What a person can use of it."""
    text = str(error)
    if isinstance(error, httpx.ProxyError):
        return f"the proxy does not let us through ({text})"
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return "the certificate is of a CA that is not trusted (network.ca_file adds one)"
    if "Name or service not known" in text or "name resolution" in text or "nodename nor servname" in text:
        return "the repository's name is not found"
    if isinstance(error, httpx.TimeoutException):
        return "the repository does not answer in time"
    if "refused" in text:
        return "the connection is refused"
    return f"the connection broke ({type(error).__name__})"
