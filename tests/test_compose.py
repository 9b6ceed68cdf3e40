"""docker-compose.yml, as far as it shows without a Docker daemon."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from schemas.config import read_config

ROOT = Path(__file__).parent.parent
COMPOSE = ROOT / "docker-compose.yml"


def mounted() -> set[str]:
    services = YAML(typ="safe").load(COMPOSE)["services"].values()
    volumes = [volume for service in services for volume in service.get("volumes", ())]
    return {volume.split(":")[0] for volume in volumes if volume.startswith("./")}


def test_what_the_containers_mount_is_in_the_repository():
    """Docker makes an empty folder of what is not there, and the container fails on it."""
    assert mounted()
    for path in mounted():
        assert (ROOT / path).is_file()
        if (ROOT / ".git").exists():
            assert subprocess.run(["git", "check-ignore", "-q", path], cwd=ROOT, check=False).returncode == 1, (
                f"git ignores {path}"
            )


def test_the_containers_config_is_right():
    for path in mounted():
        assert read_config(ROOT / path, environ={}).config.kafka.bootstrap_servers == "kafka:9092"


@pytest.mark.skipif(shutil.which("docker-compose") is None, reason="docker-compose is not installed")
def test_docker_compose_accepts_the_file():
    shown = subprocess.run(["docker-compose", "config", "--quiet"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown.stderr
