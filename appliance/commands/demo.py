"""`island demo` and `island selftest`: the whole thing on this machine, without internet."""

from __future__ import annotations

import signal
import sys
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path

import click
import trio

from appliance.commands import exits
from appliance.commands.shell import Failure, Shell, json_option, run_async
from appliance.demo.play import Account, Play, Tell
from appliance.demo.scene import Scene
from appliance.demo.selftest import Selftest
from appliance.demo.stage import Stage
from appliance.demo.story import RECIPIENT, RELAY, SENDER, Story
from appliance.demo.theatre import perform

tor_option = click.option(
    "--tor", default="auto", show_default=True, metavar="auto|PATH", help="Which Tor to run."
)
keep_option = click.option(
    "--keep", type=click.Path(path_type=Path, file_okay=False), help="Work in this folder and leave it there."
)


@click.command("demo")
@tor_option
@keep_option
@click.option(
    "--kill",
    type=click.Choice([SENDER, RELAY, RECIPIENT]),
    multiple=True,
    default=(SENDER, RELAY),
    show_default=True,
    help="Which boxes get a SIGKILL in the middle; may be given more than once.",
)
@click.option("--calm", is_flag=True, help="Kill nobody.")
@json_option
def demo(tor: str, keep: Path | None, kill: tuple[str, ...], calm: bool, as_json: bool) -> None:
    """Three boxes on a private Tor network: one is off, gets a file, and finds it at its relay.

    Every step is verified; exit code 0 only if all came out right. With --json one line at the end.
    """
    make = partial(Story, kill=frozenset() if calm else frozenset(kill))
    _show("Private Island: a file for a box that is off", make, tor, keep, as_json)


@click.command("selftest")
@tor_option
@keep_option
@json_option
def selftest(tor: str, keep: Path | None, as_json: bool) -> None:
    """Carry one envelope end to end through real Tor on a private network."""
    _show("Private Island: self-test", Selftest, tor, keep, as_json)


def _show(
    title: str, make: Callable[[Scene, Tell], Play], tor: str, keep: Path | None, as_json: bool
) -> None:
    shell = Shell(Path(), as_json)
    account: Account | None = None

    async def call() -> None:
        nonlocal account
        stage = Stage(title, quiet=as_json)
        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_take_down, signals, nursery.cancel_scope)
                nursery.start_soon(stage.show)
                account = await perform(make, stage, tor=tor, keep=keep)
                nursery.cancel_scope.cancel()
        if account is None:
            raise Failure("Stopped before the end; nothing is left behind.", exits.INTERRUPTED)
        verdict = "Everything was verified" if account.ok else f"Not verified: {account.problem}"
        shell.answer(account, ["", f"{verdict}, in {account.seconds} seconds."])

    run_async(call, shell)
    if account is None or not account.ok:
        sys.exit(exits.FAILED)


async def _take_down(signals: AsyncIterator[int], scope: trio.CancelScope) -> None:
    """Asked to stop: boxes, network and folder go before this program does."""
    async for _ in signals:
        scope.cancel()
