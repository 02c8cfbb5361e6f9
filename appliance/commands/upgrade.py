"""`island upgrade`: bring up the data of a box that an older version locked; the box is off meanwhile."""

from __future__ import annotations

import io
from pathlib import Path

import click

from appliance.commands.identity import passphrase_option, read_passphrase
from appliance.commands.shell import Failure, Shell, data_option, json_option, run_async
from appliance.store import upgrade as store_upgrade
from appliance.store.engine import DATA_FILE


@click.command("upgrade")
@data_option
@passphrase_option
@json_option
def upgrade(data: Path, passphrase_file: io.TextIOBase | None, as_json: bool) -> None:
    """Bring up the data of a box that an older version locked by its passphrase.

    Every other box is brought up when it starts. The relays it uses and what it keeps for others stay; it
    is then claimed anew. A copy of the old data stays beside the new.
    """
    shell = Shell(data.expanduser(), as_json)

    async def call() -> None:
        if not (shell.data / DATA_FILE).exists():
            raise Failure(f"There is no box in {shell.data}.")
        if not store_upgrade.is_locked(shell.data):
            shell.answer({"upgraded": False}, ["Nothing is to be done: the box is ready for this version."])
            return
        await store_upgrade.bring_up(shell.data, read_passphrase(passphrase_file, confirm=False))
        lines = ["The box is ready for this version. Start it, and make it your own again: island claim"]
        shell.answer({"upgraded": True}, lines)

    run_async(call, shell)
