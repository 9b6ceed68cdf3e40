import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from changecast import cli

COMMANDS = Path(cli.__file__).with_name("commands")


def changecast(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "changecast", *arguments], capture_output=True, text=True, timeout=30, **options)  # type: ignore[call-overload,no-any-return]


def test_help_names_every_command_and_shows_examples() -> None:
    shown = changecast("--help")

    assert shown.returncode == 0
    assert "Examples:" in shown.stdout
    for name, listed in cli.COMMANDS.items():
        assert f"{name}  " in shown.stdout
        assert listed.summary in " ".join(shown.stdout.split())


def test_every_command_module_is_listed_in_a_section() -> None:
    modules = {path.stem.replace("_", "-") for path in COMMANDS.glob("*.py")} - {"--init--"}

    assert modules <= set(cli.COMMANDS)
    assert {listed.section for listed in cli.COMMANDS.values()} <= set(cli.SECTIONS)


@pytest.mark.parametrize("name", sorted(path.stem for path in COMMANDS.glob("[a-z]*.py")))
def test_a_command_module_has_a_command_with_help(name: str) -> None:
    command = importlib.import_module(f"changecast.commands.{name}").command

    assert isinstance(command, click.Command)
    assert command.help


def every_command(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    if path:
        yield " ".join(path), command
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            inner = command.get_command(click.Context(command), name)
            assert inner is not None
            yield from every_command(inner, (*path, name))


def test_every_command_has_an_example_in_its_help() -> None:
    helps = {name: f"{command.help} {command.epilog}" for name, command in every_command(cli.cli)}
    wanting = [name for name, text in helps.items() if f"changecast {name}" not in text]

    assert wanting == []


def test_no_summary_in_the_list_of_a_commands_commands_is_cut() -> None:
    cut = [name for name, command in every_command(cli.cli) if " " in name and command.get_short_help_str(60).endswith("...")]

    assert cut == []


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from changecast.cli import run; run(['--help']);"
        "print(sorted({'pydantic', 'aiokafka', 'faust', 'rich', 'aiohttp', 'httpx'} & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)

    assert shown.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("group", ["dead", "deliveries", "endpoints", "provider"])
def test_a_group_that_lists_does_so_where_no_other_command_is_named(group: str, tmp_path: Path) -> None:
    options = ("-c", str(tmp_path / "none.yaml"))
    bare, listed = changecast(group, *options), changecast(group, "list", *options)
    assert (bare.returncode, bare.stdout, bare.stderr) == (listed.returncode, listed.stdout, listed.stderr)
    assert "none.yaml" in bare.stderr
    assert "Commands:" in changecast(group, "--help").stdout


def test_a_mistyped_command_gets_the_nearest_right_name() -> None:
    shown = changecast("wroker")

    assert shown.returncode == 2
    assert "There is no command `wroker`. Did you mean `changecast worker`?" in shown.stderr


def test_a_word_like_no_command_is_sent_to_the_overview() -> None:
    shown = changecast("xyzzy")

    assert shown.returncode == 2
    assert "`changecast --help` lists the commands" in shown.stderr


def test_wrong_usage_is_exit_code_2() -> None:
    assert changecast("worker", "dishwasher").returncode == 2
    assert changecast("up", "--nonsense").returncode == 2
    assert changecast("fetch", "no-urn").returncode == 2


def test_the_version_is_printed() -> None:
    assert changecast("--version").stdout.startswith("changecast ")


def test_a_wrong_config_is_exit_code_78_and_shows_the_place(tmp_path: Path) -> None:
    config = tmp_path / "changecast.yaml"
    config.write_text("providers: {}\nsubscriptoins: []\n")

    shown = changecast("up", "-c", str(config))

    assert shown.returncode == 78
    assert f"{config}:2:1" in shown.stderr
    assert "Traceback" not in shown.stderr


def test_a_config_that_is_not_there_is_exit_code_78(tmp_path: Path) -> None:
    shown = changecast("worker", "sinks", cwd=tmp_path)

    assert shown.returncode == 78
    assert "changecast.yaml" in shown.stderr


def test_what_lies_in_the_working_directory_is_not_imported(tmp_path: Path) -> None:
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas" / "__init__.py").write_text("raise RuntimeError('not ours')")
    script = Path(sys.executable).with_name("changecast")
    if not script.exists():
        pytest.skip("changecast is not installed as a script")

    shown = subprocess.run([script, "worker", "sinks"], capture_output=True, text=True, cwd=tmp_path, timeout=30)

    assert shown.returncode == 78


def test_a_reader_that_goes_away_gets_no_traceback() -> None:
    read, write = os.pipe()
    os.close(read)
    shown = subprocess.run(
        [sys.executable, "-m", "changecast", "--help"], stdout=write, stderr=subprocess.PIPE, text=True, timeout=30
    )
    os.close(write)

    assert "Traceback" not in shown.stderr
