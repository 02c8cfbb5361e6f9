"""SIGKILL of a box while members post and rosters change: what was answered is there, once, in its place."""

from __future__ import annotations

import random
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import trio

from appliance.client.desk import Desk
from appliance.client.http import Http
from appliance.errors import Refusal
from appliance.protocol import channel as wire
from appliance.protocol import membership, roster
from appliance.protocol.log import LogEntry
from appliance.protocol.roster import Create, Info, Remove
from appliance.service.ports import hour_of
from tests.channel_clients import Client, settle
from tests.channels import CHANNEL, Member
from tests.processes import Process, start, until_broken, until_more

ROUNDS = 8
WRITERS = 3
SETTINGS = ("kdf_memory_kib=64", "kdf_passes=1", "channel_posts_minute=6000")


@dataclass
class Ledger:
    """What the box has answered for, and what it was asked the last time."""

    posted: dict[bytes, int] = field(default_factory=dict)
    """Numbers by entry id."""
    changed: dict[bytes, int] = field(default_factory=dict)
    """The same of the roster's entries, by hash."""
    asked: dict[str, wire.PostChannel] = field(default_factory=dict)


async def post_for_ever(who: Client, process: Process, ledger: Ledger) -> None:
    async with Http(process.loopback) as http:
        http.cookies = who.http.cookies
        line = Client(who.person, who.caller, who.secret, http)
        again = ledger.asked.get(who.person.name)
        while True:
            draft = again or await line.draft()
            again, ledger.asked[who.person.name] = None, draft
            try:
                posted = await line.ask(wire.Posted, "/post", draft)
            except Refusal as refusal:
                if refusal.code != "old_roster":
                    raise
                continue
            assert ledger.posted.setdefault(draft.id, posted.number) == posted.number


async def change_for_ever(owner: Client, guest: Member, process: Process, ledger: Ledger) -> None:
    """The owner lets somebody in and puts them out, again and again."""
    async with Http(process.loopback) as http:
        http.cookies = owner.http.cookies
        line = Client(owner.person, owner.caller, owner.secret, http)
        while True:
            seen = await line.see()
            is_in = seen.members > WRITERS + 1
            change = Remove(guest.identity) if is_in else owner.add(guest)
            signed = owner.sign(change, seen.roster, hour_of(time.time()))
            done = await line.ask(wire.Appended, "/roster", wire.AppendRoster(CHANNEL, signed))
            ledger.changed[roster.hash_of(signed)] = done.number


async def whole_log(who: Client) -> list[LogEntry]:
    entries: list[LogEntry] = []
    while True:
        page = await who.read(entries[-1].number if entries else 0)
        entries += page.entries
        if not page.more:
            return entries


async def check(who: Client, ledger: Ledger) -> None:
    entries = await whole_log(who)
    assert [one.number for one in entries] == list(range(1, len(entries) + 1)), "no gaps"
    messages = {one.id: one.number for one in entries if one.kind == 1}
    assert len(messages) == sum(one.kind == 1 for one in entries), "nothing is there twice"
    assert ledger.posted.items() <= messages.items(), "what was answered is where it was said to be"
    signed: list[wire.RosterEntry] = []
    while True:
        query = wire.RosterQuery(CHANNEL, len(signed))
        page = await who.ask(wire.RosterPage, "/roster/read", query)
        signed += page.entries
        if not page.more:
            break
    # The log tells the same as the roster, in the same places, and the head is where both end.
    assert [(one.number, one.body) for one in entries if one.kind == 0] == [
        (one.number, one.entry) for one in signed
    ]
    by_hash = {roster.hash_of(one.entry): one.number for one in signed}
    assert ledger.changed.items() <= by_hash.items()
    state, seen = membership.replay([one.entry for one in signed]), await who.see()
    assert (seen.roster, seen.members, seen.last) == (state.mark, len(state.members), entries[-1].number)


async def test_no_cut_loses_or_doubles_what_a_channel_answered(tmp_path: Path) -> None:
    rng = random.Random(20261127)
    process = await start(tmp_path / "box", *SETTINGS)
    people: list[Client] = []
    async with AsyncExitStack() as stack, Desk(process.control) as desk:
        for name in ("ada", "bob", "cleo", "dan", "guest"):
            http = await stack.enter_async_context(Http(process.loopback))
            people.append(await settle(desk.http, http, name))
        owner, *writers, guest = people
        hour = hour_of(time.time())
        create = Create(True, "ada", owner.person.box, Info("Garden", ""), 0, 0)
        await owner.ask(wire.Appended, "", wire.NewChannel(owner.sign(create, None, hour)))
        for writer in writers:
            await writer.change(writer.join(), hour)
    ledger = Ledger()
    for _ in range(ROUNDS):
        async with trio.open_nursery() as nursery:
            for writer in writers:
                nursery.start_soon(until_broken, post_for_ever, writer, process, ledger)
            nursery.start_soon(until_broken, change_for_ever, owner, guest, process, ledger)
            await until_more(lambda: len(ledger.posted), 3)
            await until_more(lambda: len(ledger.changed), 2)
            await trio.sleep(rng.uniform(0.1, 0.6))
            await process.kill()
        process = await start(tmp_path / "box", *SETTINGS)
        async with Http(process.loopback) as http:
            http.cookies = owner.http.cookies
            await check(Client(owner.person, owner.caller, owner.secret, http), ledger)
    assert len(ledger.posted) > ROUNDS * 2 and len(ledger.changed) > ROUNDS
    await process.stop()
