"""The relay's use cases on a real store: every refusal, deletion, idempotence, expiry."""

from __future__ import annotations

import os
from dataclasses import replace

import msgspec
import pytest
import trio
import trio.testing

from appliance.protocol.envelope import SIZES, envelope_id
from appliance.protocol.keys import SigningKey
from appliance.protocol.mailbox import BLANK, sign_request
from appliance.protocol.messages import Deposit, DepositGroup, Subscribe
from appliance.protocol.stream import nonce as stream_nonce
from appliance.service.nonces import NONCE_SECONDS
from appliance.service.relay import Relay
from appliance.store import counters
from tests.services import Holder, House, Time, envelope, refused, states


@pytest.fixture
async def holder(house: House) -> Holder:
    found = Holder(house.relay())
    await found.create(await house.grant())
    return found


async def empty(relay: Relay) -> None:
    while await relay.sweep():
        pass


# What works


async def test_envelopes_are_read_in_order_and_gone_when_acknowledged(holder: Holder) -> None:
    sent = [envelope(size) for size in SIZES for _ in range(2)]
    assert states(await holder.deposit(*sent)) == ["held"] * 8
    assert await holder.fetch() == sent
    page = await holder.relay.fetch(holder.fetch_request(limit=3))
    assert ([one.envelope for one in page.envelopes], page.more) == (sent[:3], True)
    rest = await holder.relay.fetch(holder.fetch_request(after=page.envelopes[-1].number, limit=5))
    assert ([one.envelope for one in rest.envelopes], rest.more) == (sent[3:], False)
    assert await holder.acknowledge(*map(envelope_id, sent[:3]), os.urandom(16)) == 3
    assert await holder.acknowledge(envelope_id(sent[0])) == 0
    answer = await holder.relay.fetch(holder.fetch_request(acknowledge=[envelope_id(sent[3])], limit=0))
    assert (answer.removed, answer.envelopes) == (1, [])
    assert await holder.fetch() == sent[4:]


async def test_the_same_envelope_again_is_held_already(holder: Holder) -> None:
    one = envelope()
    (first,) = await holder.deposit(one, hours=5)
    (again,) = await holder.deposit(one, hours=50)
    assert (first.state, again.state, again.expires_hour) == ("held", "already held", first.expires_hour)
    assert states(await holder.deposit(envelope(), one)) == ["held", "already held"]
    twin = envelope()
    assert states(await holder.deposit(twin, twin)) == ["held", "already held"]
    assert len(await holder.fetch()) == 3


async def test_a_mailbox_is_made_once_and_again_is_alike(house: House) -> None:
    relay, grant = house.relay(), await house.grant()
    holder = Holder(relay)
    made = await holder.create(grant)
    assert (made.mailbox, made.held, made.held_limit) == (holder.id, 0, 128)
    await holder.deposit(envelope())
    assert (await holder.create(grant)).held == 1
    with refused("mailbox_exists"):
        await Holder(relay, holder.key, os.urandom(32)).create(grant)
    with refused("mailbox_exists"):
        await holder.create(grant, "request")
    assert (await Holder(relay).create(grant, "request")).held_limit == 64


async def test_a_deleted_mailbox_takes_everything_with_it(house: House) -> None:
    relay, grant = house.relay(contact_envelopes=10_000, contact_octets=1 << 30), await house.grant()
    for number in (3, 700):  # the larger one is emptied by the sweep
        holder = Holder(relay)
        await holder.create(grant)
        await holder.deposit(*(envelope() for _ in range(number)))
        await holder.delete()
        assert states(await holder.deposit(envelope())) == ["no_mailbox"]
        with refused("no_mailbox"):
            await holder.fetch()
        with refused("no_mailbox"):
            await holder.delete()
        await empty(relay)
        await holder.create(grant)
        assert await holder.fetch() == []


# Expiry


async def test_what_has_expired_is_not_read_and_is_swept(holder: Holder, clock: Time) -> None:
    short, long = envelope(), envelope()
    await holder.deposit(short, hours=2)
    (kept,) = await holder.deposit(long, hours=48)
    assert kept.expires_hour == clock.hour + 48
    clock.pass_hours(2)
    assert await holder.fetch() == [short, long], "an envelope lives through its last hour"
    clock.pass_hours(1)
    assert await holder.fetch() == [long]
    assert states(await holder.deposit(short, hours=1)) == ["held"], "expired, so not held already"
    clock.pass_hours(100)
    assert await holder.fetch() == []
    await empty(holder.relay)
    assert await holder.acknowledge(envelope_id(long)) == 0
    assert (await holder.relay.sweep()) == 0


async def test_the_sweep_goes_in_bounded_steps(house: House, clock: Time) -> None:
    relay = house.relay(sweep_batch=10)
    holder = Holder(relay)
    await holder.create(await house.grant())
    await holder.deposit(*(envelope() for _ in range(25)), hours=1)
    clock.pass_hours(2)
    assert [await relay.sweep() for _ in range(4)] == [10, 10, 5, 0]


async def test_the_sweeping_task_goes_on(house: House, clock: Time) -> None:
    relay = house.relay(sweep_batch=1)
    holder = Holder(relay)
    await holder.create(await house.grant())
    await holder.deposit(*(envelope() for _ in range(5)), hours=1)
    clock.pass_hours(2)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(relay.run_sweep)
        with trio.fail_after(5):
            while house.store.read(counters.load).held:
                await trio.sleep(0.01)
        nursery.cancel_scope.cancel()


async def test_the_sweep_takes_half_of_the_time(
    house: House, autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    relay, begun = house.relay(sweep_seconds=20), []
    lasting = iter([3, 1, 0])

    async def sweep() -> int:
        begun.append(trio.current_time())
        seconds = next(lasting)
        await trio.sleep(seconds)
        return seconds

    monkeypatch.setattr(relay, "sweep", sweep)
    start = trio.current_time()
    with trio.move_on_after(20):
        await relay.run_sweep()
    assert [at - start for at in begun] == pytest.approx([0, 6, 8])


@pytest.mark.parametrize("hours", [0, -1, 721, 10**12])
async def test_a_time_to_live_out_of_bounds_is_refused(holder: Holder, hours: int) -> None:
    assert states(await holder.deposit(envelope(), envelope(), hours=hours)) == ["ttl", "ttl"]
    assert states(await holder.deposit(envelope(), hours=720)) == ["held"]
    assert len(await holder.fetch()) == 1


async def test_a_smaller_bound_on_the_time_to_live_holds_at_once(house: House, holder: Holder) -> None:
    holder.relay.configure(replace(house.config, ttl_max_hours=48))
    assert states(await holder.deposit(envelope(), hours=49)) == ["ttl"]
    assert holder.relay.info().ttl_max_hours == 48


# Who may


async def test_only_the_capability_opens_a_mailbox_for_deposits(holder: Holder) -> None:
    assert states(await holder.deposit(envelope(), capability=bytes(32))) == ["capability"]
    assert states(await Holder(holder.relay).deposit(envelope())) == ["no_mailbox"]
    assert await holder.fetch() == []


async def test_one_bad_group_harms_no_other(holder: Holder) -> None:
    good = DepositGroup(holder.id, holder.capability, 24, [envelope()])
    bad = DepositGroup(bytes(20), holder.capability, 24, [envelope(), envelope()])
    late = DepositGroup(holder.id, holder.capability, 0, [envelope()])
    odd = DepositGroup(holder.id, holder.capability, 24, [b"\1" * 961])
    answer = await holder.relay.deposit(Deposit([bad, good, late, odd]))
    assert list(map(states, answer.groups)) == [["no_mailbox"] * 2, ["held"], ["ttl"], ["wrong_size"]]
    assert await holder.fetch() == good.envelopes


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (b"", "wrong_size"),
        (b"\1" * 959, "wrong_size"),
        (b"\1" * 16_321, "wrong_size"),
        (b"\1" * 4_000_000, "wrong_size"),
        (b"\0" + bytes(959), "unknown_version"),
        (b"\2" + bytes(1983), "unknown_version"),
    ],
)
async def test_what_is_no_envelope_is_refused(holder: Holder, bad: bytes, code: str) -> None:
    assert states(await holder.deposit(envelope(), bad)) == [code, code]
    assert await holder.fetch() == []


async def test_a_nonce_serves_once(holder: Holder) -> None:
    request = holder.fetch_request()
    await holder.relay.fetch(request)
    with refused("nonce"):
        await holder.relay.fetch(request)


async def test_a_stale_a_foreign_and_a_made_up_nonce_are_refused(
    house: House, holder: Holder, clock: Time
) -> None:
    stale = holder.fetch_request()
    clock.now += NONCE_SECONDS + 1
    for request in (
        stale,
        holder.fetch_request(nonce=house.relay().nonces(1).nonces[0]),
        holder.fetch_request(nonce=bytes(32)),
    ):
        with refused("nonce"):
            await holder.relay.fetch(request)


async def test_the_nonce_in_an_answer_serves_the_next_request(holder: Holder) -> None:
    answer = await holder.relay.fetch(holder.fetch_request())
    again = await holder.relay.fetch(holder.fetch_request(nonce=answer.nonce))
    assert again.nonce not in (b"", answer.nonce)


async def test_a_wrong_signature_spends_no_nonce(holder: Holder) -> None:
    request = holder.fetch_request()
    for forged in (
        msgspec.structs.replace(request, limit=request.limit + 1),
        msgspec.structs.replace(request, acknowledge=[bytes(16)]),
        msgspec.structs.replace(request, auth=msgspec.structs.replace(request.auth, signature=bytes(64))),
        sign_request(SigningKey(os.urandom(32)), holder.relay.host, request.auth.nonce, request),
        sign_request(holder.key, "x" * 56 + ".onion", request.auth.nonce, request),
    ):
        with refused("signature"):
            await holder.relay.fetch(forged)
    await holder.relay.fetch(request)


async def test_a_signature_for_one_mailbox_opens_no_other(house: House, holder: Holder) -> None:
    other = Holder(holder.relay)
    await other.create(await house.grant())
    with refused("signature"):
        await holder.relay.fetch(msgspec.structs.replace(holder.fetch_request(), mailbox=other.id))
    with refused("no_mailbox"):
        await holder.relay.fetch(msgspec.structs.replace(holder.fetch_request(), mailbox=bytes(20)))


async def test_who_creates_must_hold_the_key_and_a_living_grant(house: House, clock: Time) -> None:
    relay = house.relay()
    holder, grant = Holder(relay), await house.grant(hours=10)
    with refused("signature"):
        mine = holder.create_request(grant)
        await relay.create(msgspec.structs.replace(mine, fetch_key=Holder(relay).key.public))
    with refused("grant"):
        await holder.create(os.urandom(32))
    await holder.create(grant)
    clock.pass_hours(10)
    with refused("grant"):
        await Holder(relay).create(grant)
    assert states(await holder.deposit(envelope())) == ["grant"]
    assert await holder.fetch() == [], "who has a mailbox may still empty it"


async def test_a_mailbox_moves_under_a_new_grant(house: House, clock: Time) -> None:
    holder = Holder(house.relay())
    await holder.create(await house.grant(hours=10))
    one = envelope()
    await holder.deposit(one, hours=700)
    clock.pass_hours(10)
    await holder.create(await house.grant())
    assert states(await holder.deposit(envelope())) == ["held"]
    assert (await holder.fetch())[0] == one


# Full


async def test_a_full_mailbox_takes_what_still_fits(house: House) -> None:
    relay = house.relay(contact_envelopes=3, contact_octets=20_000)
    holder = Holder(relay)
    await holder.create(await house.grant())
    assert states(await holder.deposit(envelope(16320), envelope(4032), envelope(960))) == [
        "held", "mailbox_full", "held",
    ]  # fmt: skip
    assert states(await holder.deposit(envelope(), envelope())) == ["held", "mailbox_full"]
    (first, *_) = await holder.fetch()
    await holder.acknowledge(envelope_id(first))
    assert states(await holder.deposit(envelope())) == ["held"], "an acknowledgement makes room at once"


async def test_a_full_grant_and_a_full_relay_say_so(house: House) -> None:
    relay = house.relay(relay_octets=3000)
    small, wide = Holder(relay), Holder(relay)
    await small.create(await house.grant(mailboxes=1, octets=1000))
    await wide.create(await house.grant())
    assert states(await small.deposit(envelope(), envelope())) == ["held", "grant_full"]
    assert states(await wide.deposit(envelope(), envelope(), envelope())) == ["held", "held", "relay_full"]
    with refused("grant_full"):
        grant = await house.grant(mailboxes=1)
        await Holder(relay).create(grant)
        await Holder(relay).create(grant)
    # A larger limit holds at once.
    relay.configure(house.config)
    assert states(await wide.deposit(envelope())) == ["held"]


async def test_a_request_mailbox_is_smaller(house: House) -> None:
    relay = house.relay(request_envelopes=2)
    holder = Holder(relay)
    await holder.create(await house.grant(), "request")
    assert states(await holder.deposit(*(envelope() for _ in range(3)))) == ["held", "held", "mailbox_full"]


# Streams


async def test_a_watcher_hears_of_its_mailboxes_only_and_of_many_at_once(house: House) -> None:
    relay = house.relay()
    one, two, other = Holder(relay), Holder(relay), Holder(relay)
    grant = await house.grant()
    book, watcher = relay.open_stream(), relay.watcher()
    for number, holder in enumerate((one, two, other)):
        await holder.create(grant)
        if holder is not other:
            blank = Subscribe(mailbox=holder.id, auth=BLANK)
            signed = sign_request(holder.key, relay.host, stream_nonce(book.prefix, number + 1), blank)
            await relay.subscribe(signed, book, watcher)
            with refused("nonce"):
                await relay.subscribe(signed, book, watcher)
    for holder in (one, two, other):
        await holder.deposit(envelope())
    with trio.fail_after(1):
        assert await watcher.next() == {one.id, two.id}
    again = envelope()
    await one.deposit(again)
    assert await watcher.next() == {one.id}
    await one.deposit(again)  # already held: nothing new
    with trio.move_on_after(0.05) as scope:
        await watcher.next()
    assert scope.cancelled_caught
    watcher.close()
    await one.deposit(envelope())
    assert not relay.arrivals._watchers


async def test_a_stranger_cannot_listen(house: House, holder: Holder) -> None:
    relay = holder.relay
    book, watcher = relay.open_stream(), relay.watcher()
    blank = Subscribe(mailbox=holder.id, auth=BLANK)
    with refused("signature"):
        stranger = SigningKey(os.urandom(32))
        await relay.subscribe(
            sign_request(stranger, relay.host, stream_nonce(book.prefix, 1), blank), book, watcher
        )
    await holder.deposit(envelope())
    with trio.move_on_after(0.05) as scope:
        await watcher.next()
    assert scope.cancelled_caught
