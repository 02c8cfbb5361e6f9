"""The story: a file for somebody whose box is off, kept by a relay, with boxes killed on the way."""

from __future__ import annotations

import secrets
from collections.abc import Set
from datetime import date
from typing import Final

import trio

from appliance.demo.play import Play, Tell
from appliance.demo.scene import Arrived, NotVerified, Scene, sealed_count
from appliance.protocol.desk import RelayLoad

SENDER: Final = "sender"
RECIPIENT: Final = "recipient"
RELAY: Final = "relay"
FILE_NAME: Final = "holiday.jpg"
FILE_SIZE: Final = 600_000


class Story(Play):
    """Three boxes; `kill` names those that get a SIGKILL in the middle."""

    boxes = (SENDER, RECIPIENT, RELAY)

    def __init__(
        self,
        scene: Scene,
        tell: Tell,
        *,
        kill: Set[str] = frozenset({SENDER, RELAY}),
        size: int = FILE_SIZE,
    ) -> None:
        super().__init__(scene, tell)
        self.content = secrets.token_bytes(size)
        self.kill = kill
        self._item = ""
        self._held: RelayLoad | None = None
        self._arrived: Arrived | None = None
        self.steps = [
            ("boxes", "Three boxes start, each with its own Tor", self.start),
            ("owners", "Each box gets an owner", self.claim),
            ("relay", "The relay invites the recipient", self.lend),
            ("contact", "The sender asks the recipient, who accepts", self.introduce),
            ("away", "The recipient's box goes off", self.leave),
            ("deposit", "The sender sends a file to the box that is off", self.deposit),
            ("hold", "The relay keeps it and knows neither sender nor content", self.hold),
            ("collect", "The recipient's box comes back and collects", self.collect),
            ("compare", "The file is the same, and came once", self.compare),
            ("empty", "The relay holds nothing any more", self.empty),
            ("receipt", "The sender knows", self.receipt),
        ]

    async def start(self) -> str:
        """Three boxes start and publish their onions."""
        await self.scene.start(*self.boxes)
        return "all three can be reached over Tor"

    async def claim(self) -> str:
        """Each box gets an owner."""
        async with trio.open_nursery() as nursery:
            for name in self.boxes:
                nursery.start_soon(self.scene.claim, name)
        return "claimed with their one-time links"

    async def lend(self) -> str:
        """The relay invites the recipient."""
        await self.scene.lend(RELAY, RECIPIENT)
        return "the recipient keeps mailboxes at the relay"

    async def introduce(self) -> str:
        """Each learns where the other takes mail."""
        await self.scene.introduce(SENDER, RECIPIENT)
        return "the recipient takes mail at their box and at the relay"

    async def leave(self) -> str:
        """The recipient's box goes off."""
        await self.scene.actors[RECIPIENT].stop()
        return "nobody answers at its onion"

    async def deposit(self) -> str:
        """The sender's file waits at the relay, though the sender is killed on the way."""
        scene, note, count = self.scene, "", sealed_count(len(self.content))
        self._item = await scene.send_file(SENDER, RECIPIENT, FILE_NAME, self.content)
        self.say("the sender's box has it, their program is closed")
        if SENDER in self.kill:
            before = await scene.until_held(RELAY, 1)
            await scene.actors[SENDER].kill()
            self.say(f"sender killed after {before.held} of them; starting it again")
            await scene.actors[SENDER].start()
            note = f"; the sender, killed (SIGKILL) after {before.held} of them, went on by itself"
        await scene.until_held(RELAY, count)
        await scene.until_sent(SENDER, RECIPIENT, self._item, "relay")
        self._held = await scene.until_held(RELAY, count)
        if self._held.held != count:
            raise NotVerified(f"the relay holds {self._held.held} envelopes for {count}")
        return f"{count} sealed envelopes at the relay{note}"

    async def hold(self) -> str:
        """What the relay acknowledged, it still holds after a kill."""
        before = self._held
        if before is None:
            raise NotVerified("nothing was deposited")
        note = ""
        if RELAY in self.kill:
            await self.scene.actors[RELAY].kill()
            self.say("relay killed; starting it again")
            await self.scene.start(RELAY)
            note = "; killed (SIGKILL) and started again, nothing missing"
        after = await self.scene.until_held(RELAY, before.held)
        if (after.held, after.days) != (before.held, before.days):
            raise NotVerified(f"the relay held {before.held} envelopes, now {after.held}")
        return f"{after.held} envelopes, {expiry(after)}{note}"

    async def collect(self) -> str:
        """The recipient comes back and collects."""
        recipient = self.scene.actors[RECIPIENT]
        await recipient.start()
        note = ""
        if RECIPIENT in self.kill and self._held is not None:
            self.say("waiting until it has fetched some")
            here = self._held.held - (await self.scene.until_fewer(RELAY, self._held.held)).held
            await recipient.kill()
            self.say(f"recipient killed after {here} of them; starting it again")
            await recipient.start()
            note = f"; the recipient, killed (SIGKILL) after {here} of them, went on by itself"
        self.say("its box is back and asks the relay")
        files = await self.scene.until_arrived(RECIPIENT, SENDER)
        if len(files) != 1:
            raise NotVerified(f"{len(files)} files arrived instead of one")
        self._arrived = files[0]
        return f"the recipient's program opens them{note}"

    async def compare(self) -> str:
        """The file is whole and came once."""
        if self._arrived is None:
            raise NotVerified("nothing arrived")
        if self._arrived != Arrived(FILE_NAME, self.content):
            raise NotVerified("the file arrived changed")
        return f"{FILE_NAME}, {len(self.content):,} bytes, digest equal, nothing came twice"

    async def empty(self) -> str:
        """The relay holds nothing any more."""
        await self.scene.until_empty(RELAY)
        return "every envelope acknowledged and gone"

    async def receipt(self) -> str:
        """The sender learns that the file is there, and it is there once."""
        await self.scene.until_sent(SENDER, RECIPIENT, self._item, "delivered")
        if len(await self.scene.until_arrived(RECIPIENT, SENDER)) != 1:
            raise NotVerified("the file came twice")
        return "the sender's program says: delivered"


def expiry(load: RelayLoad) -> str:
    """When what is held goes, in words."""
    if not load.days:
        return "no expiry known"
    last = date.fromisoformat(max(day.day for day in load.days))
    return f"kept until {last.day} {last:%B}"
