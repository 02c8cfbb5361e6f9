"""Channels over a whole box's sockets: their rows, JSON as people write it, bounds, a locked box."""

from __future__ import annotations

import json
import os
import time

from appliance.client.http import Http
from appliance.protocol import channel as wire
from appliance.protocol.codec import JSON, to_text
from appliance.protocol.export import Export
from appliance.protocol.moderation import NewReport, OwnReport, Thank, Thanked
from appliance.protocol.post import Events
from appliance.protocol.roster import Close, Create, Info, Remove
from appliance.service.ports import hour_of
from tests.api.test_accounts import stranger
from tests.boxes import PASSPHRASE, Net, running
from tests.channel_clients import Client, settle
from tests.channels import CHANNEL, MESSAGE
from tests.services import refused

HERE = f"/{to_text(CHANNEL)}"


def now() -> int:
    return hour_of(time.time())


async def create(who: Client, public: bool = True) -> wire.Appended:
    info = Info("Garden", "") if public else bytes(60)
    signed = who.sign(Create(public, who.person.name, who.person.box, info, 0, 0), None, now())
    return await who.ask(wire.Appended, "", wire.NewChannel(signed))


async def test_two_members_talk_through_the_onion(tmp_path):
    net = Net()
    async with (
        running(net, tmp_path / "box") as box,
        stranger(net, box) as near,
        stranger(net, box) as far,
        stranger(net, box) as away,
    ):
        ada, bob = await settle(box.desk.http, near, "ada"), await settle(box.desk.http, far, "bob")
        for path in ("", HERE, f"{HERE}/entries"):
            with refused("sign_in"):
                await away.call("GET", f"/v1/channels{path}", dict)
        with refused("no_channel"):
            await ada.see()
        await create(ada, public=False)
        with refused("not_member"):
            await bob.see()
        await ada.change(ada.add(bob), now())
        (shown,) = (await bob.ask(wire.Channels, "")).channels
        assert (shown.id, shown.member, shown.members, shown.title) == (CHANNEL, True, 2, None)

        hello = await far.call("GET", "/v1/events", Events)
        posted = await ada.ask(wire.Posted, "/post", await ada.draft())
        heard = await far.call("GET", f"/v1/events?stream={to_text(hello.stream)}&after=1", Events)
        (event,) = heard.events
        assert event.log is not None and event.log.entries is not None
        assert (event.log.log, event.log.last) == (CHANNEL, posted.number)
        assert event.log.entries[0].body == MESSAGE

        page = await bob.read()
        assert [(one.number, one.kind) for one in page.entries] == [(2, 0), (3, 1)]
        roster = await bob.ask(wire.RosterPage, "/roster/read", wire.RosterQuery(CHANNEL))
        assert [one.number for one in roster.entries] == [1, 2] and not roster.more
        found = await bob.ask(wire.MembersPage, "/members", wire.MembersQuery(CHANNEL, ["ada", "bob"]))
        assert len(found.found) == 2 and all(len(one.bundles) == 1 for one in found.found)
        changed = await bob.ask(wire.MembersChanged, "/members/changed", wire.MembersSince(CHANNEL, 0))
        assert changed.devices == found.devices
        wanted = wire.TakeMany(CHANNEL, [wire.WantedPrekeys("ada", [ada.person.devices[0].id])])
        taken = await bob.ask(wire.TakenMany, "/prekeys", wanted)
        assert taken.taken[0].prekeys[0].prekey is not None

        entry = page.entries[1].id
        thanked = await far.call("POST", "/v1/thanks", Thanked, Thank(CHANNEL, entry))
        assert (thanked.thanks, thanked.mine) == (1, True)
        report = NewReport(os.urandom(16), "abuse", log=CHANNEL, entry=entry, evidence="She said so.")
        own = await far.call("POST", "/v1/reports", OwnReport, report)
        assert own.about
        export = await far.call("POST", "/v1/account/export", Export)
        assert (export.channels, export.reports) == ([CHANNEL], [own])
        with refused("role"):
            await bob.ask(dict, "/take-down", wire.TakeDown(CHANNEL, 3))
        await ada.ask(dict, "/take-down", wire.TakeDown(CHANNEL, 3))
        assert (await bob.read(2)).entries[0].removed == "author"

        draft = await bob.draft()
        await ada.change(Remove(bob.identity), now())
        with refused("not_member"):
            await bob.ask(wire.Posted, "/post", draft)
        with refused("role"):
            await far.call("DELETE", f"/v1/channels{HERE}", dict)
        await ada.change(Close(), now())
        await near.call("DELETE", f"/v1/channels{HERE}", dict)
        with refused("no_channel"):
            await ada.read()


async def test_json_as_curl_sends_it(tmp_path):
    net = Net()
    async with running(net, tmp_path / "box") as box, stranger(net, box) as http:
        ada = await settle(box.desk.http, http, "ada")
        info = Create(True, "ada", ada.person.box, Info("Garden", "Tomatoes"), 0, 0)
        signed = ada.sign(info, None, now())
        made = await ada.ask(wire.Appended, "", wire.NewChannel(signed), JSON)
        answer = await raw(http, "GET", "")
        (shown,) = answer["channels"]
        assert (shown["title"], shown["id"]) == ("Garden", to_text(CHANNEL))
        assert shown["roster"] == {"number": 1, "hash": to_text(made.roster.hash)}
        body = {
            "channel": to_text(CHANNEL),
            "id": to_text(bytes(16)),
            "roster": 1,
            "devices": shown["devices"],
            "sealed": to_text(MESSAGE),
            "hours": 24,
        }
        first = await raw(http, "POST", "/post", body)
        assert first == await raw(http, "POST", "/post", body)
        page = await raw(http, "GET", f"{HERE}/entries?before=99&limit=1")
        assert page["entries"][0]["body"] == to_text(MESSAGE) and page["more"] is True
        bad = {
            "sealed": to_text(MESSAGE[1:]),
            "hours": 0,
            "roster": 0,
            "devices": -1,
            "id": "",
            "channel": "AA",
        }
        for name, value in bad.items():
            with refused("malformed"):
                await raw(http, "POST", "/post", {**body, name: value})
        with refused("malformed"):
            await raw(http, "GET", f"{HERE}/entries?limit=257")
        many = {"channel": to_text(CHANNEL), "names": ["ada"] * 51}
        with refused("malformed"):
            await raw(http, "POST", "/members", many)


async def raw(http: Http, method: str, path: str, body: dict | None = None) -> dict:
    """As curl would: plain JSON there and back."""
    answer = await http.call(method, f"/v1/channels{path}", dict, body)
    return json.loads(json.dumps(answer))


async def test_a_locked_box_waits_for_its_owner(tmp_path):
    net = Net()
    async with running(net, tmp_path / "box") as box, stranger(net, box) as http:
        ada = await settle(box.desk.http, http, "ada")
        await create(ada)
        draft = await ada.draft()
        await box.desk.protect(PASSPHRASE, True)
        cookies = dict(http.cookies)
    async with running(net, tmp_path / "box", claim=False) as box, stranger(net, box) as http:
        http.cookies.update(cookies)
        ada.http = http
        with refused("locked"):
            await ada.read()
        with refused("locked"):
            await ada.ask(wire.Posted, "/post", draft)
        await box.desk.sign_in(PASSPHRASE, "box")
        assert (await ada.ask(wire.Posted, "/post", draft)).number == 2
        assert len((await ada.read()).entries) == 2
