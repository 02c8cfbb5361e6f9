"""The event socket and the long poll over real sockets, on the real post."""

from __future__ import annotations

import json
import os
import socket
import struct

import pytest
import trio

from appliance.api import frames
from appliance.api.events import CLOSE_ENDED, CLOSE_TOO_MANY, MAX_SOCKET_MESSAGE
from appliance.protocol import codec
from appliance.protocol.codec import to_text
from appliance.protocol.post import DispatchState, Events, Settle, Signal
from appliance.service import events as service
from appliance.service.feed import KEPT_EVENTS
from tests.api.event_wires import ADA, EventWire, OpenDoor, head
from tests.api.wires import House
from tests.posts import dispatch, routes_of, waiting
from tests.services import envelope

COOKIE = {"cookie": "island_access=member"}


@pytest.mark.parametrize("kind", ["loopback", "onion"])
async def test_mail_comes_with_the_event_and_is_settled_on_the_socket(door: OpenDoor, kind: str) -> None:
    async with door() as d:
        wire = await d.open(kind=kind)
        sent = [envelope(4032), envelope()]
        await d.mail(*sent)
        event = await wire.event("mail")
        assert [one.envelope for one in event.queued or []] == sent
        await wire.say("settle", Settle([one.number for one in event.queued or []]), 7)
        assert await wire.answer() == ["settled", {}, 7]
        assert not await waiting(d.home, d.bob)


async def test_a_dispatch_is_answered_once_it_is_durable(door: OpenDoor) -> None:
    async with door() as d:
        routes = await routes_of(d.home, ADA)
        wire = await d.open()
        good, bad = dispatch(routes, envelopes=[envelope(4032)]), dispatch(routes, envelopes=[b"\1" * 9])
        frames_ = [codec.encode(["dispatch", one, n + 1]) for n, one in enumerate([good, bad, good])]
        await wire.stream.send_all(b"".join(House.masked(frame) for frame in frames_))
        answers = [await wire.answer() for _ in range(3)]
        assert [answer[0] for answer in answers] == ["dispatched", "refused", "dispatched"]
        assert [answer[2] for answer in answers] == [1, 2, 3]
        state = codec.convert(answers[0][1], DispatchState)
        assert (state.id, state.legs[0].state) == (good.id, "box")
        assert answers[0][1] == answers[2][1]
        assert answers[1][1]["error"]["code"] == "wrong_size"
        assert len(await waiting(d.home, ADA)) == 1


async def test_signals_go_from_socket_to_socket(door: OpenDoor) -> None:
    async with door() as d:
        wire = await d.open()
        sign = Signal(await routes_of(d.home, d.bob), envelope())
        await wire.say("signal", sign)  # without a number there is no answer
        event = await wire.event("signal")
        assert event.envelope == sign.envelope
        await wire.say("signal", sign, 3)
        assert await wire.answer() == ["signalled", {}, 3]


async def test_what_cannot_be_done_is_refused_and_the_socket_goes_on(door: OpenDoor) -> None:
    async with door() as d:
        wire = await d.open()
        for word, body, code in (
            ("dance", {}, "method"),
            ("settle", {"done": "all"}, "malformed"),
            ("dispatch", {"id": b"short"}, "malformed"),
            ("signal", {}, "malformed"),
        ):
            await wire.say(word, body, 5)
            answer = await wire.answer()
            assert (answer[0], answer[1]["error"]["code"], answer[2]) == ("refused", code, 5)
        await d.mail()
        await wire.event("mail")
        assert not d.house.box.faults


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (b"not cbor", frames.CLOSE_DATA),
        (codec.encode({"a": 1}), frames.CLOSE_DATA),
        (codec.encode(["word"]), frames.CLOSE_DATA),
        (codec.encode([1, {}]), frames.CLOSE_DATA),
        (codec.encode(["signal", {}, -1]), frames.CLOSE_DATA),
        (codec.encode(["signal", {}, 1, 1]), frames.CLOSE_DATA),
        (b"\x00" * (MAX_SOCKET_MESSAGE + 1), frames.CLOSE_TOO_BIG),
    ],
)
async def test_bad_messages_end_the_socket_and_nobody_elses(
    door: OpenDoor, message: bytes, code: int
) -> None:
    async with door() as d:
        wire, other = await d.open(), await d.open()
        await wire.send(message)
        assert await wire.until_closed() == code
        await d.mail()
        await other.event("mail")
        assert not d.house.box.faults


async def test_a_ticket_opens_one_socket(door: OpenDoor) -> None:
    async with door() as d:
        ticket = d.ticket()
        wire = await EventWire.connect(d.house, ticket)
        await wire.event("hello")
        for text in (ticket, "", "AAAA", "%00"):
            status, code = await d.house.say(head(text))
            assert (status, code) == (401, "session_ended")
        status, code = await d.house.say(
            b"GET /v1/events?ticket=" + d.ticket().encode() + b" HTTP/1.1\r\nhost: localhost\r\n\r\n"
        )
        assert (status, code) == (426, "upgrade")
        status, code = await d.house.say(head(d.ticket(), headers="origin: http://evil.example\r\n"))
        assert (status, code) == (403, "forbidden_origin")


async def test_an_ended_sign_in_is_told_and_cut(door: OpenDoor) -> None:
    async with door() as d:
        wires = [await d.open(), await d.open()]
        d.home.post.end_session(d.bob.session)
        for wire in wires:
            await wire.event("session")
            assert await wire.until_closed() == CLOSE_ENDED


async def test_the_oldest_socket_makes_room_for_a_new_one(door: OpenDoor) -> None:
    async with door() as d:
        wires = [await d.open() for _ in range(service.SOCKETS)]
        newest = await d.open()
        assert await wires[0].until_closed() == CLOSE_TOO_MANY
        await d.mail()
        for wire in (*wires[1:], newest):
            await wire.event("mail")
        assert d.home.post.events.open(d.bob).readers == service.SOCKETS


async def test_who_falls_behind_hears_reset_and_goes_on(door: OpenDoor) -> None:
    async with door() as d:
        wires = [await d.open(), await d.open()]
        for revision in range(KEPT_EVENTS + 5):  # at once: no socket can take them meanwhile
            d.home.post.on_vault_changed(d.bob.account, revision)
        for wire in wires:
            assert (await wire.event("reset")).number == KEPT_EVENTS + 6
        d.home.post.on_vault_changed(d.bob.account, 1000)
        for wire in wires:
            assert (await wire.event("vault")).revision == 1000


async def test_a_reader_that_takes_nothing_loses_events_and_then_the_socket(door: OpenDoor) -> None:
    async with door(write_seconds=1) as d:
        wire = await d.open(kind="onion")  # a unix socket: small buffers
        other = d.home.post.events.open(d.bob)
        with trio.fail_after(30):
            while not d.house.box.refusals["events", "too_slow"]:
                for _ in range(50):
                    await d.mail(envelope(4032), envelope(4032))
                    other.after(other.last - 1)  # another tab reads on, so mail stays whole
                await trio.sleep(0.01)
        await d.house.ended(wire.stream)
        assert d.home.post.events.open(d.bob).readers == 0
        assert len(other._entries) <= KEPT_EVENTS


async def test_a_connection_cut_inside_a_message_leaves_nothing(door: OpenDoor) -> None:
    async with door() as d:
        routes = await routes_of(d.home, ADA)
        wire = await d.open()
        whole = House.masked(codec.encode(["dispatch", dispatch(routes, envelopes=[envelope(4032)]), 1]))
        await wire.stream.send_all(whole[: len(whole) // 2])
        await wire.stream.aclose()
        with trio.fail_after(10):
            while d.home.post.events.open(d.bob).readers:
                await trio.sleep(0.01)
        assert not await waiting(d.home, ADA)
        assert not d.house.box.faults
        await d.mail()
        again = await d.open()
        await d.mail()
        await again.event("mail")


async def test_a_peer_that_leaves_before_its_answers_is_no_fault(door: OpenDoor) -> None:
    async with door() as d:
        routes = await routes_of(d.home, ADA)
        for turn in range(20):
            wire = await d.open()
            both = [["dispatch", dispatch(routes, envelopes=[envelope()]), 1], ["settle", Settle([turn]), 2]]
            await wire.stream.send_all(b"".join(House.masked(codec.encode(one)) for one in both))
            wire.stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            await wire.stream.aclose()  # with a reset
        with trio.fail_after(10):
            while d.home.post.events.open(d.bob).readers:
                await trio.sleep(0.01)
        assert not d.house.box.faults


async def test_a_flood_is_read_slowly_and_loses_nothing(door: OpenDoor) -> None:
    async with door(event_messages=50) as d:
        routes = await routes_of(d.home, ADA)
        wire = await d.open()
        sent = [dispatch(routes, envelopes=[envelope()]) for _ in range(300)]
        begun = trio.current_time()
        async with trio.open_nursery() as nursery:

            async def flood() -> None:
                for n, one in enumerate(sent):
                    await wire.say("dispatch", one, n + 1)

            nursery.start_soon(flood)
            answers = [await wire.answer() for _ in sent]
        assert [answer[2] for answer in answers] == list(range(1, 301))
        assert trio.current_time() - begun >= 1.9  # 200 saved up, then 50 a second
        assert len((await d.home.post.queue.read(ADA, 0, 256)).envelopes) == 256


async def test_the_box_stops_with_1001(door: OpenDoor) -> None:
    async with door() as d:
        wire = await d.open()
        for guest in tuple(d.house.server._guests):
            guest.retire()
        assert await wire.until_closed() == frames.CLOSE_AWAY


async def test_a_message_that_comes_with_the_head_is_not_lost(door: OpenDoor) -> None:
    async with door() as d:
        early = House.masked(codec.encode(["settle", Settle([5]), 9]))
        wire = await EventWire.connect(d.house, d.ticket(), after=early)
        assert await wire.answer() == ["settled", {}, 9]


async def test_pings_are_answered_and_silence_is_asked(door: OpenDoor) -> None:
    async with door(idle_seconds=1) as d:
        wire = await d.open()
        await wire.stream.send_all(House.masked(b"hi", opcode=9))
        assert (await wire.next_frame()).payload == b"hi"
        asked = await wire.next_frame()
        assert asked.opcode == 9
        # Who gives no sign of life is left.
        assert await wire.until_closed() == frames.CLOSE_AWAY


async def test_the_long_poll_gives_the_same_events(door: OpenDoor) -> None:
    async with door() as d:

        async def poll(stream: str, after: int) -> Events:
            path = f"/v1/events?stream={stream}&after={after}"
            status, _, body = await d.house.ask("GET", path, headers=COOKIE)
            assert status == 200, body
            return codec.read(body, Events, codec.JSON)

        first = await poll("", 0)
        assert [event.kind for event in first.events] == ["hello"]
        sent = envelope()
        async with trio.open_nursery() as nursery:

            async def listen() -> None:
                found = await poll(to_text(first.stream), first.events[-1].number)
                assert [one.envelope for one in found.events[0].queued or []] == [sent]

            nursery.start_soon(listen)
            await trio.sleep(0.05)
            await d.mail(sent)
        assert [event.kind for event in (await poll(to_text(os.urandom(8)), 3)).events] == ["reset"]


async def test_every_row_wants_a_sign_in_and_a_device(door: OpenDoor) -> None:
    async with door() as d:
        rows = [
            ("GET", "/v1/dispatch", None),
            ("GET", "/v1/queue", None),
            ("GET", "/v1/events?stream=&after=0", None),
            ("POST", "/v1/events/ticket", {}),
            ("POST", "/v1/queue/settle", {"done": [1]}),
            ("POST", "/v1/mailboxes/mine", {"handles": []}),
            ("POST", "/v1/mailboxes/drop", {"handles": []}),
            ("POST", "/v1/kept/read", {"ids": []}),
            ("POST", "/v1/kept/lacking", {"ids": []}),
            ("POST", "/v1/presence", {"visible": True}),
            ("GET", "/v1/here", None),
            ("GET", "/v1/listening", None),
        ]
        for method, path, body in rows:
            raw = None if body is None else json.dumps(body).encode()
            for kind in ("loopback", "onion"):
                status, _, answer = await d.house.ask(method, path, body=raw, kind=kind)
                assert (status, House.code(answer)) == (401, "sign_in"), path
            status, _, answer = await d.house.ask(method, path, body=raw, headers=COOKIE)
            assert status == 200, (path, answer)
        for method, path in (("GET", "/v1/queue"), ("POST", "/v1/events/ticket")):
            status, _, answer = await d.house.ask(
                method,
                path,
                body=b"{}" if method == "POST" else None,
                headers={"cookie": "island_access=agent"},
            )
            assert (status, House.code(answer)) == (409, "no_device")


async def test_numbers_and_ids_that_cannot_be_are_no_faults(door: OpenDoor) -> None:
    async with door() as d:
        wire = await d.open()
        for number in (-1, 0, (1 << 64) - 1):
            await wire.say("settle", {"done": [number], "keep": [number]}, 1)
            assert await wire.answer() == ["settled", {}, 1]
        for method, path, status in (
            ("DELETE", "/v1/dispatch/" + "A" * 900, 400),
            ("DELETE", "/v1/dispatch/" + to_text(bytes(16)), 200),
            ("GET", "/v1/queue?after=999999999999999999&limit=0", 200),
            ("GET", "/v1/queue?after=-1", 400),
            ("GET", "/v1/events?stream=%00&after=1", 400),
        ):
            found, _, body = await d.house.ask(method, path, headers=COOKIE)
            assert found == status, (path, body)
        assert not d.house.box.faults


async def test_another_box_leaves_a_signal(door: OpenDoor) -> None:
    async with door() as d:
        wire = await d.open()
        (route,) = await routes_of(d.home, d.bob)
        sign = envelope()
        names = {"mailbox": route.mailbox, "capability": route.capability, "envelope": sign}
        body = json.dumps({name: to_text(value) for name, value in names.items()}).encode()
        status, _, answer = await d.house.ask("POST", "/v1/signal", kind="onion", body=body)
        assert status == 200, answer
        assert (await wire.event("signal")).envelope == sign
