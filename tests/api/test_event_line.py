"""The event socket as a line: changes of the vault and messages of channels that go on it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import pytest

from appliance.client.http import Http
from appliance.protocol import channel as wire
from appliance.protocol import codec
from appliance.protocol.account import ChangeMember, Member
from appliance.protocol.log import LogPage
from appliance.protocol.post import AllRoutes, Queue, Ticket, WantMailboxes
from appliance.protocol.vault import Change, Changed, Put, Read, Records, Remove
from tests.api.event_wires import EventWire, head
from tests.api.test_accounts import stranger
from tests.api.test_channels import create, now
from tests.api.wires import masked
from tests.boxes import Net, Running, running
from tests.channel_clients import Client, settle
from tests.channels import CHANNEL, MESSAGE
from tests.posts import dispatch
from tests.services import envelope

T = TypeVar("T")


@asynccontextmanager
async def line(net: Net, box: Running, http: Http) -> AsyncIterator[EventWire]:
    """The event socket of whoever is signed in, after its hello."""
    ticket = (await http.call("POST", "/v1/events/ticket", Ticket)).ticket
    stream = await net.dial(box.ready.onion, 80, "events")
    async with stream:
        found = await EventWire.upgrade(stream, head(ticket, box.ready.onion))
        await found.event("hello")
        yield found


async def ask(on: EventWire, word: str, body: Any, kind: type[T]) -> T:
    """An answer that says yes."""
    await on.say(word, body, 1)
    said, answer, number = await on.answer()
    assert (said, number) == ({"change": "changed", "post": "posted"}[word], 1), answer
    return codec.convert(answer, kind)


async def refusal(on: EventWire, word: str, body: Any) -> tuple[str, dict[str, Any]]:
    """Code and details of an answer that says no."""
    await on.say(word, body, 9)
    said, answer, number = await on.answer()
    assert (said, number) == ("refused", 9), answer
    return answer["error"]["code"], answer["error"].get("details", {})


@pytest.fixture
async def people(tmp_path) -> AsyncIterator[tuple[Net, Running, Client, Client]]:
    """A box with two members who come over the onion."""
    net = Net()
    async with (
        running(net, tmp_path / "box") as box,
        stranger(net, box) as near,
        stranger(net, box) as far,
    ):
        yield net, box, await settle(box.desk.http, near, "ada"), await settle(box.desk.http, far, "bob")


async def test_a_change_of_the_vault_is_durable_and_no_news_to_its_device(people) -> None:
    net, box, ada, _ = people
    first, second = os.urandom(16), os.urandom(16)
    async with line(net, box, ada.http) as here:
        done = await ask(here, "change", Change(put=[Put(first, 0, b"one")]), Changed)
        assert done.revision == 1
        found = await ada.http.call("POST", "/v1/vault/read", Records, Read([first]))
        assert found.records[0].data == b"one"
        stale = Change(put=[Put(second, 0, b"two"), Put(first, 0, b"late")])
        assert await refusal(here, "change", stale) == ("vault_conflict", {"ids": [first]})
        found = await ada.http.call("POST", "/v1/vault/read", Records, Read([second]))
        assert not found.records
        assert (await ask(here, "change", Change(remove=[Remove(first, 1)]), Changed)).revision == 2
        for bad in ({"put": "all"}, {"put": [{"id": first, "base": 1, "data": b""}], "more": 1}, []):
            assert (await refusal(here, "change", bad))[0] == "malformed"
        await ada.http.call("POST", "/v1/vault", Changed, Change(put=[Put(second, 0, b"two")]))
        # By whichever way they went: nothing but the answer is heard.
        await here.say("change", Change(put=[Put(second, 1, b"3")]), 1)
        heard = await here.hear()
        assert isinstance(heard, list) and heard[1]["revision"] == 4


async def test_a_message_leaves_with_the_change_on_the_line(people) -> None:
    net, box, ada, bob = people
    mine = await bob.http.call("POST", "/v1/mailboxes/mine", AllRoutes, WantMailboxes([b"handle-1"]))
    sent = dispatch(mine.mailboxes[0].routes, envelopes=[envelope(4032)])
    async with line(net, box, ada.http) as here, line(net, box, bob.http) as there:
        done = await ask(
            here, "change", Change(put=[Put(os.urandom(16), 0, b"state")], dispatches=[sent]), Changed
        )
        assert done.left[0].state is not None and done.left[0].state.legs[0].state == "box"
        event = await there.event("mail")
        assert [one.envelope for one in event.queued or []] == sent.envelopes
    waiting = await bob.http.call("GET", "/v1/queue?after=0&limit=9", Queue)
    assert [one.envelope for one in waiting.envelopes] == sent.envelopes


async def test_a_message_to_a_channel_goes_on_the_line(people) -> None:
    net, box, ada, bob = people
    await create(ada, public=False)
    draft = await ada.draft()
    async with line(net, box, ada.http) as here, line(net, box, bob.http) as there:
        assert (await refusal(there, "post", draft))[0] == "not_member"
        await ada.change(ada.add(bob), now())
        assert (await refusal(here, "post", draft))[0] == "old_roster"
        draft = await ada.draft()
        posted = await ask(here, "post", draft, wire.Posted)
        assert await ask(here, "post", draft, wire.Posted) == posted
        while (event := await there.event("log")).log is None or event.log.last < posted.number:
            pass
        assert event.log.entries is not None and event.log.entries[-1].body == MESSAGE
        bad = {"channel": CHANNEL, "id": b"short", "roster": 1, "devices": b"", "sealed": MESSAGE}
        assert (await refusal(here, "post", bad))[0] == "malformed"
    page = await bob.http.call("GET", f"/v1/channels/{codec.to_text(CHANNEL)}/entries", LogPage)
    assert [one.number for one in page.entries].count(posted.number) == 1


async def test_who_is_suspended_hands_over_nothing_any_more(people) -> None:
    net, box, ada, _ = people
    path = f"/v1/members/{codec.to_text(ada.person.account)}"
    async with line(net, box, ada.http) as here:
        await box.desk.http.call("PATCH", path, Member, ChangeMember(suspended=True))
        assert await here.until_closed() == 4001


async def test_what_comes_together_is_done_in_order_and_answered_in_order(people) -> None:
    net, box, ada, bob = people
    await create(ada)
    await bob.change(bob.join(), now())
    drafts = [await ada.draft() for _ in range(3)]
    name = os.urandom(16)
    said: list[tuple[str, Any]] = []
    for turn, draft in enumerate(drafts):
        said += [("post", draft), ("change", Change(put=[Put(name, turn, b"%d" % turn)]))]
    async with line(net, box, ada.http) as here:
        frames = [codec.encode([word, body, number + 1]) for number, (word, body) in enumerate(said)]
        await here.stream.send_all(b"".join(masked(frame) for frame in frames))
        answers = [await here.answer() for _ in said]
    assert [answer[0] for answer in answers] == ["posted", "changed"] * 3
    assert [answer[2] for answer in answers] == [1, 2, 3, 4, 5, 6]
    numbers = [answer[1]["number"] for answer in answers[::2]]
    assert numbers == sorted(numbers)
