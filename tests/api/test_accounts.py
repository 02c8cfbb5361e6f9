"""Accounts over real sockets: the onion and loopback of a whole box, as a client meets them."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from appliance.client.entrance import loopback, onion
from appliance.client.http import Http
from appliance.errors import Refusal
from appliance.protocol import codec
from appliance.protocol.account import (
    BindDevice,
    ChangeMember,
    Door,
    Invite,
    InviteCheck,
    Invites,
    InviteState,
    Kdf,
    Linked,
    Member,
    Members,
    NameQuery,
    NewInvite,
    PutLink,
    Session,
    Sessions,
    TakeLink,
)
from appliance.protocol.codec import to_text
from appliance.protocol.export import Export
from tests.boxes import PASSPHRASE, Net, Running, running
from tests.households import Person

ISOLATION = iter(range(10**6))


@asynccontextmanager
async def stranger(net: Net, box: Running) -> AsyncIterator[Http]:
    """A client on the onion."""
    async with Http(onion(net.dial, box.ready.onion, str(next(ISOLATION)))) as http:
        yield http


async def post(http: Http, path: str, value: object) -> None:
    await http.exchange("POST", path, codec.write(value, codec.JSON))


async def invited(box: Running, **fields: object) -> str:
    made = await box.desk.http.call("POST", "/v1/invites", Invite, NewInvite(**fields))
    assert made.code is not None and made.link == f"http://{box.ready.onion}/#/invite/{made.code}"
    return made.code


def refused(code: str):
    return pytest.raises(Refusal, match=f"^{code}$")


async def test_a_member_joins_by_the_onion_and_lives_there(tmp_path):
    net = Net()
    async with running(net, tmp_path / "box") as box, stranger(net, box) as http:
        bob, code = Person("bob"), await invited(box, note="Bob")
        door = await http.call("GET", "/v1/door", Door)
        assert (door.claimed, door.registration, door.title, door.work) == (True, "invite", "box", None)
        assert (await http.call("POST", "/v1/invites/check", InviteState, InviteCheck(code))).role == "member"
        session = await http.call("POST", "/v1/accounts", Session, bob.register(code), media=codec.CBOR)
        assert set(http.cookies) == {"island_access", "island_refresh"}
        assert await http.call("GET", "/v1/session", Session) == session
        await post(http, "/v1/session/device", BindDevice(os.urandom(16)))
        export = await http.call("POST", "/v1/account/export", Export)
        assert (export.name, export.role, len(export.sessions)) == ("bob", "member", 1)
        assert (export.can_post, export.karma, export.bans, export.channels) == ("by karma", 0, [], [])

        http.cookies["island_access"] = "ran out"
        (row,) = (await http.call("GET", "/v1/sessions", Sessions)).sessions
        assert row.current and http.cookies["island_access"] != "ran out"

        async with stranger(net, box) as phone:
            left = PutLink(os.urandom(16), os.urandom(60))
            await post(http, "/v1/links", left)
            linked = await phone.call("POST", "/v1/links/take", Linked, TakeLink(left.id, "phone"))
            assert (linked.packet, linked.session.name) == (left.packet, "bob")
            await http.exchange("DELETE", f"/v1/sessions/{to_text(linked.session.session)}")
            with refused("session_ended"):
                await phone.call("GET", "/v1/session", Session)

        await http.exchange("DELETE", "/v1/session")
        assert http.cookies == {}
        with refused("sign_in"):
            await http.call("GET", "/v1/session", Session)
        kdf = await http.call("POST", "/v1/session/parameters", Kdf, NameQuery("bob"))
        assert kdf.salt == b"s" * 16
        await http.call("POST", "/v1/session", Session, bob.sign_in())
        await post(http, "/v1/account/delete", bob.confirm())
        with refused("wrong_sign_in"):
            await http.call("POST", "/v1/session", Session, bob.sign_in())
        assert [one.name for one in (await box.desk.http.call("GET", "/v1/members", Members)).members] == [
            "box"
        ]


async def test_the_operator_and_admins_keep_the_house(tmp_path):
    net = Net()
    async with running(net, tmp_path / "box") as box, stranger(net, box) as http:
        people = [Person("ann"), Person("bob")]
        for person, role in zip(people, ("admin", "member"), strict=True):
            code = await invited(box, role=role)
            async with stranger(net, box) as other:
                await other.call("POST", "/v1/accounts", Session, person.register(code))
        await http.call("POST", "/v1/session", Session, people[0].sign_in())
        for path in ("/v1/relays", "/v1/settings", "/v1/state"):
            with refused("not_found"):
                await http.exchange("GET", path)
        async with Http(loopback(box.ready.url.removeprefix("http://").rstrip("/"))) as near:
            await near.call("POST", "/v1/session", Session, people[0].sign_in())
            with refused("owner_only"):
                await near.exchange("GET", "/v1/settings")
        path = f"/v1/members/{to_text(people[1].account)}"
        assert (await http.call("PATCH", path, Member, ChangeMember(suspended=True))).suspended
        with refused("role"):
            await http.call("PATCH", path, Member, ChangeMember(role="owner"))
        await http.exchange("DELETE", path)
        made = await http.call("POST", "/v1/invites", Invite, NewInvite())
        assert [row.id for row in (await http.call("GET", "/v1/invites", Invites)).invites] == [made.id]
        await http.exchange("DELETE", f"/v1/invites/{to_text(made.id)}")
        # The operator's box: without any sign-in.
        box.desk.http.cookies.clear()
        path = f"/v1/members/{to_text(people[0].account)}"
        await box.desk.http.call("PATCH", path, Member, ChangeMember(role="owner"))
        with refused("sign_in"):
            await box.desk.http.call("GET", "/v1/session", Session)


@pytest.mark.parametrize("id", ["x", "AAAA", "A" * 2000, "%FF", "A" * 21 + "=", "..%2F.."])
async def test_an_id_that_is_none_is_refused(tmp_path, id):
    net = Net()
    async with running(net, tmp_path / "box") as box:
        for path in (f"/v1/sessions/{id}", f"/v1/invites/{id}", f"/v1/members/{id}"):
            with pytest.raises(Refusal) as caught:
                await box.desk.http.exchange("DELETE", path)
            assert caught.value.code in ("malformed", "not_found")
        assert (await box.desk.health()).faults == 0


@pytest.mark.parametrize(
    "name", ["", "Ann", "a" * 33, "-ann", "ann-", "ann\n", "änn", "a b", "ann@box", "../x", "a\u202e"]
)
async def test_a_name_that_is_none_is_refused(tmp_path, name):
    net = Net()
    async with running(net, tmp_path / "box") as box:
        for path, value in (
            ("/v1/session/parameters", NameQuery(name)),
            ("/v1/session", Person(name).sign_in()),
            ("/v1/accounts", Person(name).register()),
        ):
            with refused("malformed"):
                await post(box.desk.http, path, value)


async def test_a_thief_of_a_refresh_token_is_found_out(tmp_path):
    net = Net()
    async with (
        running(net, tmp_path / "box") as box,
        stranger(net, box) as http,
        stranger(net, box) as thief,
    ):
        bob = Person("bob")
        await http.call("POST", "/v1/accounts", Session, bob.register(await invited(box)))
        stolen = http.cookies["island_refresh"]
        http.cookies["island_access"] = "ran out"
        await http.call("GET", "/v1/session", Session)
        thief.cookies = {"island_refresh": stolen, "island_access": "none"}
        for one in (thief, http):
            with refused("session_ended"):
                await one.call("GET", "/v1/session", Session)
            assert one.cookies == {}


async def test_guesses_by_the_onion_do_not_lock_the_owner_out_at_home(tmp_path):
    net = Net()
    async with running(net, tmp_path / "box") as box:
        codes: list[str] = []

        async def guess() -> None:
            async with stranger(net, box) as http:
                for _ in range(3):
                    try:
                        await http.call("POST", "/v1/session", Session, Person("box").sign_in())
                    except Refusal as refusal:
                        codes.append(refusal.code)

        async with trio.open_nursery() as nursery:
            for _ in range(4):
                nursery.start_soon(guess)
        assert codes.count("wrong_sign_in") == 5 and codes.count("too_many") == 7
        assert (await box.desk.sign_in(PASSPHRASE)).name == "box"
