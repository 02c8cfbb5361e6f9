"""How the story is shown: a live table on a terminal, one line per step elsewhere, JSON at the end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import trio
from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from appliance.client.entrance import Unanswered
from appliance.demo.actor import Actor
from appliance.demo.play import Moment
from appliance.errors import Refusal
from appliance.protocol.desk import State

MARKS: Final = {"now": "…", "done": "✓", "failed": "✗"}
STYLES: Final = {"now": "yellow", "done": "green", "failed": "red"}
FRAME_SECONDS: Final = 0.2
AWAY_SECONDS: Final = 0.3


@dataclass
class View:
    """What is known of one box."""

    state: State | None = None
    words: str = "not started"


class Stage:
    """Shows moments and boxes; `quiet` shows nothing. Everything happens in the event loop."""

    def __init__(self, title: str, *, quiet: bool = False, console: Console | None = None) -> None:
        self._title = title
        self._quiet = quiet
        self._console = console or Console()
        self._moments: dict[str, Moment] = {}
        self._views: dict[str, View] = {}
        self._began = trio.current_time()
        self._is_live = self._console.is_terminal and not quiet
        self._said: tuple[str, str] | None = None

    async def show(self) -> None:
        """Draw the table until cancelled, where there is a terminal."""
        if not self._is_live:
            return
        # Not rich's own thread: what it draws changes in the event loop.
        with Live(get_renderable=self.draw, console=self._console, auto_refresh=False) as live:
            while True:
                live.refresh()
                await trio.sleep(FRAME_SECONDS)

    def tell(self, moment: Moment) -> None:
        """Show how a step goes."""
        self._moments[moment.key] = moment
        if self._quiet or self._is_live:
            return
        if (moment.key, moment.words) == self._said:
            return
        self._said = (moment.key, moment.words)
        clock = f"{trio.current_time() - self._began:6.1f} s"
        words = f": {moment.words}" if moment.words else ""
        self._console.file.write(f"{clock}  {MARKS[moment.state]} {moment.title}{words}\n")
        self._console.file.flush()

    async def watch(self, actor: Actor) -> None:
        """Keep the view of one box up to date until cancelled."""
        view = self._views.setdefault(actor.name, View())
        async with actor.desk() as desk:
            revision: int | None = None
            while True:
                try:
                    view.state = await desk.state(after=revision)
                    revision = view.state.revision
                    view.words = view.state.tor.words
                except (Unanswered, Refusal):
                    view.state, revision = None, None
                    view.words = "killed" if actor.killed else "starting" if actor.alive else "off"
                    await trio.sleep(AWAY_SECONDS)

    def draw(self) -> Group:
        """The boxes and the steps as they are now."""
        elapsed = f"{trio.current_time() - self._began:.0f} s"
        head = Text.assemble((self._title, "bold"), f"   {elapsed}")
        return Group(head, Text(""), self._draw_boxes(), Text(""), self._draw_steps())

    def _draw_boxes(self) -> Table:
        table = Table(box=None, pad_edge=False)
        for column in ("box", "address", "Tor", "holds"):
            table.add_column(column, header_style="dim", no_wrap=True)
        for name, view in self._views.items():
            state = view.state
            if state is None:
                table.add_row(name, "", Text(view.words, "red" if view.words == "killed" else "dim"), "")
                continue
            held = "" if state.relay is None or not state.relay.held else f"{state.relay.held} sealed"
            tor = Text(
                f"{state.tor.phase} {state.tor.percent} %", "green" if state.tor.phase == "reachable" else ""
            )
            short = f"{state.address[:8]}….onion" if state.address else ""
            table.add_row(name, short, tor, held)
        return table

    def _draw_steps(self) -> Table:
        table = Table(box=None, pad_edge=False, show_header=False)
        table.add_column(width=1)
        table.add_column(no_wrap=True)
        table.add_column(justify="right", no_wrap=True)
        table.add_column(style="dim", overflow="fold")
        for moment in self._moments.values():
            style = STYLES[moment.state]
            seconds = "" if moment.state == "now" else f"{moment.seconds:.1f} s"
            mark = Text(MARKS[moment.state], style)
            table.add_row(mark, moment.title, seconds, escape(moment.words))
        return table
