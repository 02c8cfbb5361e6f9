"""The self-test: two boxes, a private Tor network, one envelope end to end, and the page."""

from __future__ import annotations

from typing import Final

import trio

from appliance.client.entrance import loopback
from appliance.client.http import Http
from appliance.demo.play import Play, Tell
from appliance.demo.scene import NotVerified, Scene

HERE: Final = "here"
THERE: Final = "there"
NOTE: Final = "One envelope, end to end."


class Selftest(Play):
    """What a program must be able to do on this machine before it is trusted with anything."""

    boxes = (HERE, THERE)

    def __init__(self, scene: Scene, tell: Tell) -> None:
        super().__init__(scene, tell)
        self.steps = [
            ("boxes", "Two boxes start, each with its own Tor", self.start),
            ("page", "The page is served on loopback", self.page),
            ("owners", "Each box gets an owner", self.claim),
            ("envelope", "A sealed envelope goes over Tor and is opened", self.send),
        ]

    async def start(self) -> str:
        """Both boxes start and publish their onions."""
        await self.scene.start(*self.boxes)
        return "both can be reached over Tor"

    async def page(self) -> str:
        """The web page is there and is HTML."""
        ready = self.scene.actors[HERE].ready
        if ready is None:
            raise NotVerified("the box gave no address for its page")
        async with Http(loopback(ready.url.partition("//")[2].rstrip("/"))) as http:
            answer = await http.exchange("GET", "/")
        if answer.media != "text/html":
            raise NotVerified("the page is not HTML")
        return f"{len(answer.body):,} bytes at {ready.url}"

    async def claim(self) -> str:
        """Each box gets an owner."""
        async with trio.open_nursery() as nursery:
            for name in self.boxes:
                nursery.start_soon(self.scene.claim, name)
        return "claimed with their one-time links"

    async def send(self) -> str:
        """One note, sealed, over Tor, opened, with its receipt."""
        scene = self.scene
        await scene.introduce(HERE, THERE)
        id = await scene.send_note(HERE, THERE, NOTE)
        async with scene.actors[THERE].client() as there:
            heard = await scene.until_heard(there, scene.actors[HERE].address, 2)
            await there.settled()
        if heard[1:] != [NOTE]:
            raise NotVerified("the note arrived changed")
        await scene.until_sent(HERE, THERE, id, "delivered")
        return "delivered"
