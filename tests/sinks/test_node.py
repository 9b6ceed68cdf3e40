"""Webhooks of a real worker, verified in Node by the official JavaScript library of Standard Webhooks."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from schemas.event import Change
from tests.eventually import until
from tests.sinks.worlds import SECRET, World, change_event, config_of, receiving, webhook

PACKAGES = ("standardwebhooks@1.1.1", "@stablelib/base64@1.0.1", "fast-sha256@1.3.0")
CACHE = Path(__file__).parents[2] / ".cache" / ("node-" + PACKAGES[0].replace("@", "-"))
SCRIPT = Path(__file__).with_name("verify.cjs")
INSTALL_S = 60

OLD = "whsec_" + base64.b64encode(b"the secret before this one, 32 b").decode()
STRANGE = "whsec_" + base64.b64encode(b"a secret that nobody has ever had").decode()
SEED = bytes(range(32))


@pytest.fixture(scope="module")
def node_modules() -> Path:
    """The folder with the library in it, installed once."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node and npm are not on the PATH")
    if not CACHE.exists():
        CACHE.parent.mkdir(exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=CACHE.parent))
        quiet = ("--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--silent")
        try:
            done = subprocess.run(
                ["npm", "install", "--prefix", folder, *quiet, *PACKAGES],
                capture_output=True,
                text=True,
                check=False,
                timeout=INSTALL_S,
            )
            if done.returncode != 0:
                pytest.skip(f"npm could not install {PACKAGES[0]}: {(done.stderr or done.stdout).strip()[-300:]}")
            try:
                folder.replace(CACHE)
            except OSError:
                if not CACHE.exists():  # else another test process was faster
                    raise
        except subprocess.TimeoutExpired:
            pytest.skip(f"npm did not install {PACKAGES[0]} within {INSTALL_S} s")
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    return CACHE


def verdicts(node_modules: Path, webhooks: list[dict[str, Any]]) -> list[str]:
    done = subprocess.run(
        ["node", SCRIPT, node_modules], input=json.dumps(webhooks), capture_output=True, text=True, check=True, timeout=60
    )
    found: list[str] = json.loads(done.stdout)
    return found


async def test_the_official_javascript_library_verifies_each_of_several_secrets(world: World, node_modules: Path) -> None:
    key = Ed25519PrivateKey.from_private_bytes(SEED)
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    other = Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    secrets = {
        "secret": [SECRET, "whsk_" + base64.b64encode(SEED).decode()],
        "previous_secrets": [{"secret": OLD, "until": "2999-01-01"}],
    }
    async with receiving() as receiver:
        hook = {"name": "hook", "webhook": {"url": receiver.url, **secrets}}
        single = webhook("single", f"{receiver.url}/single")
        async with world.working(config_of(hook, single)):
            change = Change(key="title", action="updated", before="Café ☕", after="日本語\u2028\\\"'")
            await world.publish(change_event(1), change_event(2, name="日本語 ☕", changes=[change]))
            await until(lambda: len(receiver.calls) == 4)
    sent = [{"headers": call.headers, "body": call.body.decode()} for call in receiver.to("/")]
    alone = [{"headers": call.headers, "body": call.body.decode()} for call in receiver.to("/single")]
    good = [
        *({**one, "secret": secret} for one in sent for secret in (SECRET, OLD)),
        *({**one, "secret": SECRET} for one in alone),
        *({**one, "publicKey": public} for one in sent),
    ]
    assert verdicts(node_modules, good) == ["ok"] * len(good)
    assert [len(one["headers"]["webhook-signature"].split()) for one in sent] == [3, 3]
    bad = [
        {**sent[0], "secret": STRANGE},
        {**sent[0], "secret": SECRET, "body": sent[1]["body"]},
        {**alone[0], "secret": OLD},
        {**sent[0], "publicKey": other},
        {**alone[0], "publicKey": public},
    ]
    assert "ok" not in verdicts(node_modules, bad)
