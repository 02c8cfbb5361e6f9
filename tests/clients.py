"""People at real boxes, for tests: quick options, and waiting for what should become true."""

from __future__ import annotations

from urllib.parse import urlsplit

import trio

from appliance.client.entrance import Entrance, loopback
from appliance.client.person import Message, Options, Person, records
from tests.boxes import Running

PASSPHRASE = "correct horse battery"
QUICK = Options(patience=0.5, stock=5, pauses=(0.05, 0.1, 0.3))


def door(box: Running) -> Entrance:
    """The web page's own address of a box."""
    return loopback(urlsplit(box.ready.url).netloc)


def joining(box: Running, name: str, **more):
    """A new account at a box."""
    return Person.register(door(box), name, PASSPHRASE, **{"options": QUICK, **more})


def coming_back(box: Running, name: str, **more):
    """The same account signed in once more."""
    return Person.sign_in(door(box), name, PASSPHRASE, **{"options": QUICK, **more})


async def once(me: Person, check, seconds: float = 15):
    """What `check` gives as soon as it is true; looked at after each piece of news."""
    with trio.fail_after(seconds):
        while True:
            # Some of what is waited for (how far a dispatch came) is no news of a conversation.
            found = check()
            if hasattr(found, "__await__"):
                found = await found
            if found:
                return found
            with trio.move_on_after(0.2):
                await me.news()


async def hear(me: Person, count: int = 1, seconds: float = 30) -> list[Message]:
    """The next messages of people who were accepted; read."""
    heard: list[Message] = []
    with trio.fail_after(seconds):
        while len(heard) < count:
            heard.append(await anext(me.messages()))
            await heard[-1].mark_read()
    return heard


async def befriend(one: Person, other: Person) -> None:
    """The one writes first, the other accepts; both know each other's mailboxes after it."""
    await one.send(other.address, "may I?")
    await once(other, other.contacts)
    await other.accept(one.address)
    await hear(other)
    await once(one, lambda: accepted(one, other.address))
    for me, them in ((one, other), (other, one)):
        await once(me, lambda me=me, them=them: has_own_way(me, them))


async def has_own_way(me: Person, them: Person) -> bool:
    """Whether I write to a mailbox of theirs that is for me alone."""
    core = me._core
    name = records.session(core.seat.device, bytes.fromhex(them.device))
    record = await core.vault.get(name, records.Session)
    requests = {route.mailbox for route in them._core.routes.requests}
    return record is not None and not any(route.mailbox in requests for route in record.routes)


async def accepted(me: Person, address: str) -> bool:
    return any(message.kind == "notice" for message in await me.history(address))


async def texts(me: Person, address: str) -> list[str]:
    """The words of a conversation, oldest first."""
    return [message.text for message in await me.history(address) if message.kind == "text"]
