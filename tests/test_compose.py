"""docker-compose.yml, as far as it shows without a Docker daemon."""

from __future__ import annotations

import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from changecast.up.graces import grace_of
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


def test_the_parts_are_given_the_time_that_they_need_to_end():
    services = YAML(typ="safe").load(COMPOSE)["services"]
    config = read_config(ROOT / "docker/changecast.yaml", environ={}).config
    for part in ("producers", "streams", "sinks"):
        period = services[part]["stop_grace_period"]
        assert period.endswith("s")
        assert int(period.removesuffix("s")) >= grace_of(part, config) + 5


def test_kafka_in_its_container_is_set_as_the_embedded_one_is():
    """Where both say something, but for where they listen and where their data is."""
    lines = (ROOT / "changecast/kafka/server.properties").read_text().splitlines()
    embedded = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    environment = YAML(typ="safe").load(COMPOSE)["services"]["kafka"]["environment"]
    settings = {name.removeprefix("KAFKA_").lower().replace("_", "."): str(value) for name, value in environment.items()}
    places = {name for name in settings if "listener" in name} | {"log.dirs", "controller.quorum.voters"}
    both = settings.keys() & embedded.keys() - places
    assert len(both) > 10
    assert {name: settings[name] for name in both} == {name: embedded[name] for name in both}


def test_the_image_holds_every_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = {name.rstrip("*") for name in project["tool"]["setuptools"]["packages"]["find"]["include"]}
    copied = [line.split()[1:-1] for line in (ROOT / "Dockerfile").read_text().splitlines() if line.startswith("COPY")]
    assert packages <= {path for paths in copied for path in paths}


@pytest.mark.skipif(shutil.which("docker-compose") is None, reason="docker-compose is not installed")
def test_docker_compose_accepts_the_file():
    shown = subprocess.run(["docker-compose", "config", "--quiet"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown.stderr
