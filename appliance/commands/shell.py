"""What every command shares: the data folder, plain or JSON output, errors as exit codes."""

from __future__ import annotations

import functools
import json
import os
import sys
import unicodedata
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn, TypeVar

import click
import trio

from appliance.client.desk import Desk
from appliance.client.entrance import Unanswered, control
from appliance.commands import exits
from appliance.errors import Refusal, cause
from appliance.protocol import codec

F = TypeVar("F", bound=Callable[..., Any])

GAP: Final = "  "
JOINERS: Final = "\u200c\u200d"
UNITS: Final = ("bytes", "KiB", "MiB", "GiB", "TiB")


@dataclass(frozen=True)
class Shell:
    """Where the box is and how to answer."""

    data: Path
    json: bool

    def answer(self, value: Any, lines: Iterable[str]) -> None:
        """Print `value` as one JSON line, or the lines for a person."""
        if self.json:
            click.echo(codec.write(value, codec.JSON).decode())
        else:
            for line in lines:
                click.echo(line)

    def note(self, line: str) -> None:
        """A remark for a person; silent with --json."""
        if not self.json:
            click.echo(line)


class Listing(click.Group):
    """A group that lists when no command is named: `island member --json` is `island member list --json`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put "list" in front where only options follow."""
        if not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names):
            args = ["list", *args]
        return super().parse_args(ctx, args)


class Failure(Exception):
    """Ends a command with one line and an exit code."""

    def __init__(self, words: str, code: int = exits.FAILED) -> None:
        self.words = words
        self.code = code
        super().__init__(words)


def default_data() -> Path:
    """The data folder by environment: systemd's, else the XDG rules."""
    state = os.environ.get("STATE_DIRECTORY")
    if state:
        return Path(state.partition(":")[0])
    base = os.environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "island"


def data_option(command: F) -> F:
    """Add --data."""
    return click.option(
        "--data",
        type=click.Path(path_type=Path, file_okay=False),
        envvar="ISLAND_DATA",
        default=default_data,
        show_default="~/.local/share/island",
        help="The box's data folder.",
    )(command)


def json_option(command: F) -> F:
    """Add --json."""
    return click.option("--json", "as_json", is_flag=True, help="Answer with one line of JSON.")(command)


def with_desk(function: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Run an async command as `function(desk, shell, …)` against the box of --data."""

    @functools.wraps(function)
    def run(*, data: Path, as_json: bool, **arguments: Any) -> None:
        shell = Shell(data.expanduser(), as_json)

        async def call() -> None:
            async with Desk(control(shell.data)) as desk:
                await function(desk, shell, **arguments)

        run_async(call, shell)

    return data_option(json_option(run))


def run_async(call: Callable[[], Awaitable[None]], shell: Shell) -> None:
    """Run to the end; a refusal becomes one line and its exit code."""
    try:
        trio.run(call)
    except BaseException as error:
        explain(cause(error), shell)
        raise


def explain(error: BaseException, shell: Shell) -> None:
    """Exit with one line for an error that a person can do something about; return for a fault of ours."""
    match error:
        case Refusal():
            _fail(shell, error.code, sentence(error), exits.exit_of(error), error.details)
        case Unanswered(reason="nobody"):
            words = f"No box runs on {shell.data}. Start it with: island run --data {shell.data}"
            _fail(shell, "no_box", words, exits.NO_BOX)
        case Unanswered():
            _fail(shell, "unanswered", "The box did not answer in time, or stopped.", exits.FAILED)
        case Failure():
            _fail(shell, "failed", error.words, error.code)
        case KeyboardInterrupt():
            sys.exit(exits.INTERRUPTED)


def sentence(refusal: Refusal) -> str:
    """The refusal in words, with its reason when it has one."""
    reason = refusal.details.get("reason")
    return f"{refusal.message.rstrip('.')}: {printable(str(reason))}." if reason else refusal.message


def _fail(
    shell: Shell, code: str, words: str, status: int, details: dict[str, Any] | None = None
) -> NoReturn:
    if shell.json:
        error = {"code": code, "message": words, "details": details or {}}
        click.echo(json.dumps({"error": error}, default=str))
    else:
        click.echo(f"island: {words}", err=True)
    sys.exit(status)


def printable(text: str, limit: int = 200) -> str:
    """Foreign text for a terminal: what steers it or turns text around becomes "·"."""
    shown = "".join("·" if _steers(character) else character for character in text[:limit])
    return shown + "…" if len(text) > limit else shown


def _steers(character: str) -> bool:
    """Controls, format characters but for the joiners of scripts and emoji, line separators."""
    return character not in JOINERS and unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp")


def octets(size: int) -> str:
    """A size for a person: 1536 → "1.5 KiB"."""
    amount, unit = float(size), 0
    while amount >= 1024 and unit < len(UNITS) - 1:
        amount, unit = amount / 1024, unit + 1
    return f"{size} bytes" if unit == 0 else f"{amount:.1f} {UNITS[unit]}"


def duration(seconds: float) -> str:
    """A span for a person: "3 minutes", "2 days"."""
    for span, name in ((86_400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= span:
            count = round(seconds / span)
            return f"{count} {name}{'' if count == 1 else 's'}"
    return f"{max(0, round(seconds))} seconds"


def columns(head: Sequence[str], rows: Sequence[Sequence[str]], empty: str) -> list[str]:
    """An aligned table as lines; `empty` says what to do when there are no rows."""
    if not rows:
        return [empty]
    cells = [[printable(str(cell), 72) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in [list(head), *cells]) for i in range(len(head))]
    return [
        GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in [[word.upper() for word in head], *cells]
    ]


def pick(things: Sequence[Any], word: str, names: Callable[[Any], Sequence[str]], what: str) -> Any:
    """The one of `things` called `word`: by a whole name, or by a beginning that only one has."""
    wanted = word.casefold()
    exact = [t for t in things if wanted in (name.casefold() for name in names(t))]
    found = exact or [t for t in things if any(name.casefold().startswith(wanted) for name in names(t))]
    if len(found) == 1:
        return found[0]
    if not found:
        raise Failure(f"There is no {what} “{printable(word)}”.")
    shown = ", ".join(printable(names(t)[0]) for t in found[:5])
    raise Failure(f"“{printable(word)}” could be more than one {what}: {shown}.")
