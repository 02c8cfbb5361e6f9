"""The command line: `island COMMAND`. Each command's module is loaded only when it is used."""

from __future__ import annotations

from importlib import import_module
from typing import Final, NoReturn

import click

from appliance import __version__
from appliance.commands.exits import table

COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "run": ("run:run", "Run the box until it is stopped."),
    "claim": ("identity:claim", "Make a new box your own."),
    "unlock": ("identity:unlock", "Open a locked box with the passphrase."),
    "upgrade": ("upgrade:upgrade", "Bring up the data of a box that an older version locked."),
    "protect": ("identity:protect", "Let the box start locked, or no longer."),
    "member": ("member:member", "Who has an account here, and invites for more."),
    "report": ("report:report", "What members reported, and what is done about it."),
    "audit": ("audit:audit", "What those did who look after the box."),
    "approval": ("audit:approval", "Acts that wait for a second owner or admin."),
    "id": ("identity:show", "Show this box's name and address."),
    "sign-up": ("account:sign_up", "Make an account at a box."),
    "sign-in": ("account:sign_in", "Sign in to your account at a box."),
    "sign-out": ("account:sign_out", "End the sign-in kept on this computer."),
    "profile": ("profile:profile", "What people you have accepted see of you: name, picture, time zone."),
    "board": ("board:board", "Read and write on the boards of your box, signed."),
    "channel": ("channel:channel", "Talk in channels of your box; only their members can read them."),
    "message": ("message:message", "Write to people and read what they wrote."),
    "relay": ("relay:relay", "Keep envelopes for others, and have yours kept."),
    "reader": ("reader:reader", "Close the onion to all but named readers."),
    "settings": ("settings:settings", "Read and change settings."),
    "health": ("settings:health", "How the box is."),
    "minimise": ("settings:minimise", "What the box forgot when it minimised last; or do it now."),
    "doctor": ("doctor:doctor", "Find out what is wrong and what to do; works with the box on or off."),
    "demo": ("demo:demo", "Three boxes on a private Tor network, one of them off; no internet."),
    "selftest": ("demo:selftest", "One envelope end to end through real Tor; no internet."),
    "licenses": ("reference:licenses", "Licences of everything in this program."),
    "openapi": ("reference:openapi", "Print the HTTP API as OpenAPI."),
    "completion": ("reference:completion", "Print a shell completion script."),
}


class Island(click.Group):
    """The commands of the table, imported on use: `island run` must not wait for what it never shows."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command's module."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(f"appliance.commands.{module}"), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the table without importing anything, then the exit codes."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_line) for name, (_, help_line) in COMMANDS.items()])
        with formatter.section("Exit codes"):
            formatter.write(table() + "\n")


@click.command(cls=Island, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="island")
def cli() -> None:
    """A box at home that launches its own Tor and keeps sealed envelopes for people who are offline."""


def main() -> NoReturn:
    """Entry point of `island` and of `python -m appliance`."""
    cli(prog_name="island")
    raise SystemExit(0)


if __name__ == "__main__":
    main()
