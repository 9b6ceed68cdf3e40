"""Downloading one jar: by jgo, checked against its pinned hash, and tried again a few times."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from changecast.kafka.errors import NoNetwork, WrongHash
from changecast.kafka.lock import Jar

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
        "Check the network (HTTPS_PROXY, when a proxy is needed) and start again: what is there already stays. "
        "Or name a running Kafka under kafka.bootstrap_servers.",
    )


def fetch_with_jgo(jar: Jar, folder: Path, on_bytes: OnBytes) -> Path:
    """A `Fetch` from the public Maven repository that jgo knows."""
    # Imported here: requests and jgo take 0.3 s, and a start with a full cache needs neither.
    import requests
    from jgo.maven import MavenContext, PythonResolver

    @contextlib.contextmanager
    def progress(_name: str, _size: int) -> Iterator[OnBytes]:
        yield on_bytes

    resolver = PythonResolver(progress_callback=progress)
    context = MavenContext(resolver=resolver, repo_cache=folder, timeout=_TIMEOUT)
    component = context.project(jar.group, jar.artifact).at_version(jar.version)
    try:
        path: Path = component.artifact(jar.classifier).resolve()
    except requests.RequestException as error:
        raise ConnectionError(_plain(error)) from error
    except RuntimeError as error:  # jgo's word for any status but 200
        raise ConnectionError("the repository does not hand it out") from error
    return path


def _plain(error: Exception) -> str:
    """What a person can use of an error that requests wraps three times."""
    text = str(error)
    if "NameResolution" in text or "resolve" in text:
        return "the repository's name is not found"
    if "timed out" in text:
        return "the repository does not answer in time"
    if "refused" in text:
        return "the connection is refused"
    return f"the connection broke ({type(error).__name__})"
