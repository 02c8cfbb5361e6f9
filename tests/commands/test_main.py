"""The command table: everything in it loads, is documented, and is loaded only when used."""

from __future__ import annotations

import json
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from appliance import __version__
from appliance.__main__ import COMMANDS, cli
from appliance.commands.exits import EXITS


def commands(group: click.Group, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], click.Command]]:
    found: list[tuple[tuple[str, ...], click.Command]] = []
    with click.Context(group) as context:
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            assert command is not None
            found.append(((*path, name), command))
            if isinstance(command, click.Group):
                found += commands(command, (*path, name))
    return found


def test_every_command_loads_and_says_what_it_does() -> None:
    found = commands(cli)
    assert {path[0] for path, _ in found} == set(COMMANDS)
    for path, command in found:
        assert command.help, path
        assert command.name == path[-1]


def test_every_option_but_the_obvious_is_explained() -> None:
    obvious = {"--days", "--mailboxes", "--timeout", "--listen", "--tor", "--passphrase-file"}
    for path, command in commands(cli):
        for option in command.params:
            if isinstance(option, click.Option) and not set(option.opts) & obvious:
                assert option.help, (path, option.opts)


def test_help_lists_commands_and_exit_codes() -> None:
    shown = CliRunner().invoke(cli, ["--help"]).output
    for name in COMMANDS:
        assert f"  {name} " in shown
    for code, meaning in EXITS.items():
        assert f"{code} " in shown
        assert meaning in " ".join(shown.split())


def test_version() -> None:
    assert CliRunner().invoke(cli, ["--version"]).output == f"island, version {__version__}\n"


def test_an_unknown_command_is_wrong_usage() -> None:
    assert CliRunner().invoke(cli, ["levitate"]).exit_code == 2


def test_nothing_heavy_is_loaded_for_help() -> None:
    code = (
        "import sys; from click.testing import CliRunner; from appliance.__main__ import cli; "
        "CliRunner().invoke(cli, ['--help']); "
        "print(sorted({'trio', 'rich', 'quart', 'lmdb', 'stem', 'segno', 'cryptography'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(shell: str) -> None:
    done = CliRunner().invoke(cli, ["completion", shell])
    assert done.exit_code == 0
    assert "_ISLAND_COMPLETE" in done.output


def test_completion_knows_the_commands() -> None:
    runner = CliRunner()
    environment = {"_ISLAND_COMPLETE": "bash_complete", "COMP_WORDS": "island mes", "COMP_CWORD": "1"}
    done = runner.invoke(cli, [], env=environment, prog_name="island")
    assert "plain,message" in done.output


@pytest.mark.parametrize(("entrance", "owner"), [("onion", False), ("loopback", True)])
def test_openapi_is_json_and_fits_its_entrance(entrance: str, owner: bool) -> None:
    document = json.loads(CliRunner().invoke(cli, ["openapi", "--entrance", entrance]).output)
    assert document["openapi"].startswith("3.")
    assert "/v1/deposit" in document["paths"]
    assert ("/v1/state" in document["paths"]) is owner


def test_licenses_name_every_library() -> None:
    shown = CliRunner().invoke(cli, ["licenses"]).output.casefold()
    for name in ("private-island", "trio", "cryptography", "lmdb", "stem", "h11"):
        assert name in shown
    full = CliRunner().invoke(cli, ["licenses", "--full"]).output
    assert len(full) > 20_000
