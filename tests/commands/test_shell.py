"""What every command shares: foreign text made harmless, names picked, errors as exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from appliance.client.entrance import Unanswered
from appliance.commands import exits, shell
from appliance.commands.shell import Failure, Shell
from appliance.errors import REFUSALS, Refusal


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Ada Lovelace", "Ada Lovelace"),
        ("Zoë 日本 🏝", "Zoë 日本 🏝"),
        ("\x1b[2J\x1b[31mred", "·[2J·[31mred"),
        ("line\nline\ttab\r", "line·line·tab·"),
        ("left\u202eright", "left·right"),
        ("zero\u200bwidth", "zero·width"),
        ("👩\u200d💻", "👩\u200d💻"),
        ("x" * 300, "x" * 200 + "…"),
    ],
)
def test_foreign_text_cannot_steer_a_terminal(text: str, shown: str) -> None:
    assert shell.printable(text) == shown


@pytest.mark.parametrize(
    ("size", "shown"), [(0, "0 bytes"), (1023, "1023 bytes"), (1536, "1.5 KiB"), (5 << 30, "5.0 GiB")]
)
def test_sizes(size: int, shown: str) -> None:
    assert shell.octets(size) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(-4, "0 seconds"), (59, "59 seconds"), (60, "1 minute"), (7200, "2 hours"), (172_800, "2 days")],
)
def test_spans(seconds: float, shown: str) -> None:
    assert shell.duration(seconds) == shown


def test_a_table_is_aligned_and_tame() -> None:
    lines = shell.columns(["name", "what"], [["Ada", "a\x1b[0m"], ["Bartholomew", "b"]], "none")
    assert lines == ["NAME         WHAT", "Ada          a·[0m", "Bartholomew  b"]


def test_an_empty_table_says_what_to_do() -> None:
    assert shell.columns(["name"], [], "Add one.") == ["Add one."]


NAMES = ["Ada", "Adam", "Bob", "bobby"]


@pytest.mark.parametrize(
    ("word", "found"), [("ada", "Ada"), ("Adam", "Adam"), ("bob", "Bob"), ("BOBB", "bobby")]
)
def test_a_whole_name_wins_over_a_beginning(word: str, found: str) -> None:
    assert shell.pick(NAMES, word, lambda name: (name,), "contact") == found


@pytest.mark.parametrize("word", ["a", "zoe", ""])
def test_nothing_or_several_is_a_failure(word: str) -> None:
    with pytest.raises(Failure):
        shell.pick(NAMES, word, lambda name: (name,), "contact")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Refusal("locked"), exits.LOCKED),
        (Refusal("not_claimed"), exits.LOCKED),
        (Refusal("in_use"), exits.IN_USE),
        (Refusal("newer_store"), exits.BAD_STORE),
        (Refusal("no_contact"), exits.FAILED),
        (Unanswered("nobody"), exits.NO_BOX),
        (Unanswered("timeout"), exits.FAILED),
        (Failure("late", exits.TOO_LATE), exits.TOO_LATE),
        (KeyboardInterrupt(), exits.INTERRUPTED),
    ],
)
@pytest.mark.parametrize("grouped", [False, True])
def test_errors_become_exit_codes(tmp_path: Path, error: BaseException, code: int, grouped: bool) -> None:
    async def call() -> None:
        raise BaseExceptionGroup("from a nursery", [error]) if grouped else error

    with pytest.raises(SystemExit) as caught:
        shell.run_async(call, Shell(tmp_path, False))
    assert caught.value.code == code


def test_a_fault_of_ours_is_not_hidden(tmp_path: Path) -> None:
    async def call() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        shell.run_async(call, Shell(tmp_path, False))


def test_an_error_with_json_is_one_json_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def call() -> None:
        raise Refusal("mailbox_full", limit=128)

    with pytest.raises(SystemExit):
        shell.run_async(call, Shell(tmp_path, True))
    error = json.loads(capsys.readouterr().out)["error"]
    assert (error["code"], error["details"]) == ("mailbox_full", {"limit": 128})


def test_an_error_without_json_is_one_line_on_stderr(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def call() -> None:
        raise Refusal("unreachable", reason="no descriptor")

    with pytest.raises(SystemExit):
        shell.run_async(call, Shell(tmp_path, False))
    assert capsys.readouterr() == ("", "island: The other box could not be reached: no descriptor.\n")


def test_every_exit_code_of_a_refusal_is_in_the_table() -> None:
    for code in REFUSALS:
        assert exits.exit_of(Refusal(code)) in exits.EXITS


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({"STATE_DIRECTORY": "/var/lib/island"}, "/var/lib/island"),
        ({"STATE_DIRECTORY": "/var/lib/island:/var/lib/other"}, "/var/lib/island"),
        ({"XDG_DATA_HOME": "/x"}, "/x/island"),
        ({"HOME": "/home/ada"}, "/home/ada/.local/share/island"),
    ],
)
def test_the_data_folder_by_environment(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], folder: str
) -> None:
    for name in ("STATE_DIRECTORY", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert shell.default_data() == Path(folder)
