"""SIGKILL of a box while order is kept: what was answered holds, the audit log says just what was done."""

from __future__ import annotations

import os
import random
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import trio

from appliance.client.desk import Desk
from appliance.client.http import Http
from appliance.client.moderation import Moderation
from appliance.protocol.account import ChangeBan, Invite, Member, Members, NewInvite, Session
from appliance.protocol.moderation import CloseReport, NewReport
from tests.households import Person
from tests.processes import Process, start, until_broken, until_more

ROUNDS = 8
A_ROUND = 12
"""Reports in one round; all of them fit on a page."""
SETTINGS = ("kdf_memory_kib=64", "kdf_passes=1", "reports_open=10000", "reports_day=10000")
PHASES = ("open", "taken", "done")


@dataclass
class Ledger:
    """What the box has answered for: how far each report is, and how many bans and lifts there were."""

    reports: dict[bytes, str] = field(default_factory=dict)
    bans: int = 0


async def report(cookies: dict[str, str], process: Process, ledger: Ledger) -> None:
    """A member reports somebody; a moderator takes the report and settles it."""
    async with Http(process.onion) as mine, Desk(process.control) as desk:
        mine.cookies.update(cookies)
        try:
            for _ in range(A_ROUND):
                new = NewReport(os.urandom(16), "abuse", "once more", person="mallory")
                await Moderation(mine).report(new)
                ledger.reports[new.id] = "open"
                await desk.moderation.take(new.id)
                ledger.reports[new.id] = "taken"
                await desk.moderation.close(new.id, CloseReport("done", ["warned"], answer="Thank you."))
                ledger.reports[new.id] = "done"
        finally:
            cookies.update(mine.cookies)


async def ban_for_ever(process: Process, ledger: Ledger) -> None:
    """Somebody is banned and let write again, by turns."""
    async with Desk(process.control) as desk:
        while True:
            who = await mallory(desk)
            await desk.moderation.ban(who.account, ChangeBan("boards", lift=bool(who.bans)))
            ledger.bans += 1


async def mallory(desk: Desk) -> Member:
    found = (await desk.http.call("GET", "/v1/members", Members)).members
    return next(one for one in found if one.name == "mallory")


async def check(process: Process, ledger: Ledger) -> None:
    async with Desk(process.control) as desk:
        waiting = await desk.moderation.reports(limit=100)
        settled = await desk.moderation.reports(closed=True, limit=100)
        phases = {one.id: one.phase for one in [*waiting, *settled]}
        for id, known in ledger.reports.items():
            assert PHASES.index(phases[id]) >= PHASES.index(known)
        said = Counter([act.action async for act in desk.moderation.acts()])
        taken = sum(phase != "open" for phase in phases.values())
        assert (said["report.take"], said["report.done"]) == (taken, len(settled))
        # Whoever is banned was banned once more than let write again, and never anything else.
        assert said["member.ban"] + said["member.unban"] >= ledger.bans
        assert said["member.ban"] - said["member.unban"] == len((await mallory(desk)).bans)


async def test_no_cut_loses_what_was_answered_or_does_what_the_log_does_not_say(tmp_path: Path) -> None:
    rng = random.Random(20261127)
    process = await start(tmp_path / "box", *SETTINGS)
    cookies: dict[str, str] = {}
    async with AsyncExitStack() as stack, Desk(process.control) as desk:
        for name in ("bob", "mallory"):
            http = await stack.enter_async_context(Http(process.onion))
            made = await desk.http.call("POST", "/v1/invites", Invite, NewInvite())
            await http.call("POST", "/v1/accounts", Session, Person(name).register(made.code or ""))
            if name == "bob":
                cookies.update(http.cookies)
    ledger = Ledger()
    for _ in range(ROUNDS):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(until_broken, report, cookies, process, ledger)
            nursery.start_soon(until_broken, ban_for_ever, process, ledger)
            await until_more(lambda: len(ledger.reports), 2)
            await until_more(lambda: ledger.bans, 2)
            await trio.sleep(rng.uniform(0.1, 0.4))
            await process.kill()
        process = await start(tmp_path / "box", *SETTINGS)
        await check(process, ledger)
    assert len(ledger.reports) > ROUNDS and ledger.bans > ROUNDS
    await process.stop()
