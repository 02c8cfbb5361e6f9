"""SIGKILL of a box while people register and refresh: nobody is there by half, nobody is signed out."""

from __future__ import annotations

import random
from pathlib import Path

import trio

from appliance.client.desk import Desk
from appliance.client.http import Http
from appliance.protocol.account import Invite, Invites, Members, NewInvite, Session
from tests.households import Person
from tests.processes import Process, start, until_broken, until_more

ROUNDS = 8
QUICK = ("kdf_memory_kib=64", "kdf_passes=1")


async def join_for_ever(process: Process, code: str, tried: list[Person]) -> None:
    while True:
        person = Person(f"member{len(tried)}")
        tried.append(person)
        async with Http(process.loopback) as http:
            await http.call("POST", "/v1/accounts", Session, person.register(code))


async def refresh_for_ever(process: Process, http: Http) -> None:
    """One client that asks for new tokens again and again; its cookies outlive the box."""
    async with Http(process.loopback) as line:
        line.cookies = http.cookies
        while True:
            line.cookies["island_access"] = "ran out"
            await line.call("GET", "/v1/session", Session)


async def test_no_cut_leaves_half_an_account_or_ends_a_sign_in(tmp_path: Path) -> None:
    rng = random.Random(20261121)
    process = await start(tmp_path / "box", *QUICK)
    async with Desk(process.control) as desk:
        made = await desk.http.call("POST", "/v1/invites", Invite, NewInvite(uses=1000))
        assert made.code is not None
        steady = Person("steady")
        cookies = Http(process.loopback)
        async with Http(process.loopback) as http:
            await http.call("POST", "/v1/accounts", Session, steady.register(made.code))
            cookies.cookies = http.cookies
    tried: list[Person] = []
    for _ in range(ROUNDS):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(until_broken, join_for_ever, process, made.code, tried)
            nursery.start_soon(until_broken, refresh_for_ever, process, cookies)
            await until_more(lambda: len(tried), 2)  # one was answered
            await trio.sleep(rng.uniform(0.05, 0.4))
            await process.kill()
        process = await start(tmp_path / "box", *QUICK)
        async with Desk(process.control) as desk:
            members = (await desk.http.call("GET", "/v1/members", Members)).members
            (invite,) = (await desk.http.call("GET", "/v1/invites", Invites)).invites
        there = {member.name for member in members} - {"box"}
        assert len(there) == invite.uses - invite.left, "an account and its use of the invite are one"
        assert len(there) >= len(tried), "whoever was answered is there"
        async with Http(process.loopback) as http:
            last = tried[-1]
            session = await http.call("POST", "/v1/accounts", Session, last.register(made.code))
            assert (session.account, session.name) == (last.account, last.name)
        async with Http(process.loopback) as http:
            http.cookies = cookies.cookies
            http.cookies["island_access"] = "gone with the box"
            assert (await http.call("GET", "/v1/session", Session)).account == steady.account
    assert len(tried) > ROUNDS
    await process.stop()
