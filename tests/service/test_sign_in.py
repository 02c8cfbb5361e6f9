"""Signing in and staying signed in: wrong keys, second factor, backup codes, rotating tokens, devices."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest
import trio

from appliance.errors import Refusal
from appliance.protocol.account import TotpBegin, TotpConfirm
from appliance.service import sign_in as module
from appliance.service import totp
from appliance.service.caller import Caller
from appliance.service.code_entry import AGAIN_SECONDS
from appliance.service.credentials import Credentials
from appliance.service.guesses import FREE, Place
from appliance.service.sign_in import Issued
from appliance.store.accounts import Account
from tests.households import HOME, KDF, Home, Person, home
from tests.services import Time, refused

FAR = Place(home=False, circuit=1)


async def test_who_signs_in_gets_their_vault_key_and_is_known(tmp_path: Path) -> None:
    async with home(tmp_path) as h:
        ann, _ = await h.claim()
        issued = await h.people.sign_in.sign_in(ann.sign_in(), FAR)
        session, caller = issued.session, h.caller(issued)
        assert (session.account, session.name, session.role) == (ann.account, "ann", "owner")
        assert (session.wrapped, session.onion, len(session.epoch)) == (ann.wrapped, h.house.host, 16)
        assert (caller.account, caller.session, caller.device) == (ann.account, session.session, None)
        assert h.people.sign_in.describe(caller) == session
        assert issued.access not in repr(issued) and issued.refresh not in repr(issued)


async def test_wrong_keys_and_unknown_names_are_refused_alike(tmp_path: Path) -> None:
    async with home(tmp_path) as h:
        ann, _ = await h.claim()
        for body in (
            ann.sign_in(key=bytes(32)),
            Person("nobody").sign_in(),
            Person("nobody").sign_in("123456"),
        ):
            with refused("wrong_sign_in"):
                await h.people.sign_in.sign_in(body, FAR)
        for code in (bytes(32), ann.codes[0]):
            for name in ("ann", "nobody"):
                with refused("wrong_sign_in"):
                    await h.people.sign_in.by_code(Person(name).by_code(code), HOME)


async def test_a_name_that_nobody_has_costs_the_same_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[tuple[int, int]] = []
    real = Credentials._hash

    async def count(self: Credentials, secret: bytes, salt: bytes, memory_kib: int, passes: int) -> bytes:
        hashed.append((memory_kib, passes))
        return await real(self, secret, salt, memory_kib, passes)

    monkeypatch.setattr(Credentials, "_hash", count)
    async with home(tmp_path) as h:
        _ann, _ = await h.claim()
        for name in ("ann", "nobody"):
            hashed.clear()
            with refused("wrong_sign_in"):
                await h.people.sign_in.sign_in(Person(name).sign_in(), FAR)
            assert hashed == [(8, 1)]


async def test_every_name_has_parameters_that_stay(tmp_path: Path) -> None:
    clock = Time()
    names = [f"name{number}" for number in range(60)]
    async with home(tmp_path, clock) as h:
        _ann, _ = await h.claim()
        assert h.people.sign_in.parameters("ann") == KDF
        first = {name: h.people.sign_in.parameters(name) for name in names}
        assert len({kdf.salt for kdf in first.values()}) == len(names)
        shapes = {(kdf.memory_kib, kdf.passes) for kdf in first.values()}
        assert shapes == {(64, 1), module.STRONG}, (
            "a strong passphrase does not show that a name is somebody's"
        )
    async with home(tmp_path, clock) as h:
        assert {name: h.people.sign_in.parameters(name) for name in names} == first


async def test_guesses_are_slowed_by_name_also_side_by_side(tmp_path: Path) -> None:
    async with home(tmp_path) as h:
        codes: dict[str, list[str]] = {}

        async def guess(name: str, circuit: int) -> None:
            try:
                await h.people.sign_in.sign_in(Person(name).sign_in(), Place(home=False, circuit=circuit))
            except Refusal as refusal:
                codes.setdefault(name, []).append(refusal.code)

        ann, _ = await h.claim()
        async with trio.open_nursery() as nursery:
            for number in range(20):
                nursery.start_soon(guess, "ann", number)
                nursery.start_soon(guess, "nobody", 100 + number)
        for name in ("ann", "nobody"):
            assert codes[name].count("wrong_sign_in") == FREE
            assert codes[name].count("too_many") == 20 - FREE
        with refused("too_many"):
            await h.people.sign_in.sign_in(ann.sign_in(), Place(home=False, circuit=999))
        await h.people.sign_in.sign_in(ann.sign_in(), HOME)


async def test_too_many_at_once_are_told_to_come_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("appliance.service.credentials.MAX_WAITING", 2)
    async with home(tmp_path) as h:
        _ann, _ = await h.claim()
        people = [(await h.join(f"bob{number}"))[0] for number in range(12)]
        outcomes: list[str] = []

        async def enter(person: Person) -> None:
            try:
                await h.people.sign_in.sign_in(person.sign_in(), HOME)
                outcomes.append("in")
            except Refusal as refusal:
                outcomes.append(refusal.code)

        async with trio.open_nursery() as nursery:
            for person in people:
                nursery.start_soon(enter, person)
        assert set(outcomes) == {"in", "busy"} and outcomes.count("in") >= 3


# The second factor


async def factor(h: Home, person: Person, issued: Issued) -> bytes:
    """Give somebody a second factor; its secret."""
    caller = h.caller(issued)
    secret = (await h.people.accounts.begin_totp(caller, TotpBegin(person.key), HOME)).secret
    code = totp.code(secret, int(h.clock() // 30))
    await h.people.accounts.confirm_totp(caller, TotpConfirm(code), HOME)
    return secret


async def test_a_second_factor_is_asked_for_after_the_passphrase_only(tmp_path: Path) -> None:
    async with home(tmp_path) as h:
        ann, issued = await h.claim()
        secret = await factor(h, ann, issued)
        with refused("wrong_sign_in"):
            await h.people.sign_in.sign_in(ann.sign_in(key=bytes(32)), HOME)
        with refused("second_factor"):
            await h.people.sign_in.sign_in(ann.sign_in(), HOME)
        with refused("wrong_sign_in"):
            await h.people.sign_in.sign_in(ann.sign_in("000000"), HOME)
        h.clock.now += 30
        code = totp.code(secret, int(h.clock() // 30))
        assert (await h.people.sign_in.sign_in(ann.sign_in(code), HOME)).session.totp
        with refused("wrong_sign_in"):
            await h.people.sign_in.sign_in(ann.sign_in(code), HOME)
        h.clock.now += 30
        await h.people.sign_in.sign_in(ann.sign_in(totp.code(secret, int(h.clock() // 30))), HOME)


async def test_one_code_used_twice_at_once_signs_in_once(tmp_path: Path) -> None:
    async with home(tmp_path) as h:
        ann, issued = await h.claim()
        secret = await factor(h, ann, issued)
        h.clock.now += 30
        code = totp.code(secret, int(h.clock() // 30))
        outcomes: list[str] = []

        async def enter() -> None:
            try:
                await h.people.sign_in.sign_in(ann.sign_in(code), HOME)
                outcomes.append("in")
            except Refusal as refusal:
                outcomes.append(refusal.code)

        async with trio.open_nursery() as nursery:
            for _ in range(4):
                nursery.start_soon(enter)
        assert sorted(outcomes) == ["in", "wrong_sign_in", "wrong_sign_in", "wrong_sign_in"]


async def test_guesses_at_the_code_are_slowed_with_the_right_passphrase(tmp_path: Path) -> None:
    async with home(tmp_path) as h:
        ann, issued = await h.claim()
        await factor(h, ann, issued)
        for number in range(FREE):
            with refused("second_factor"):
                await h.people.sign_in.sign_in(ann.sign_in(), HOME)
            with refused("wrong_sign_in"):
                await h.people.sign_in.sign_in(ann.sign_in(f"00000{number}"), HOME)
        with refused("too_many"):
            await h.people.sign_in.sign_in(ann.sign_in("000009"), HOME)


# Backup codes


async def test_a_backup_code_opens_once_and_brings_the_key_it_wraps(tmp_path: Path) -> None:
    async with home(tmp_path) as h:
        ann, first = await h.claim()
        await h.people.accounts.replace_codes(h.caller(first), ann.new_codes(), HOME)
        await factor(h, ann, first)
        issued = await h.people.sign_in.by_code(ann.by_code(ann.codes[3]), FAR)
        session = issued.session
        assert (session.wrapped, session.codes_left, session.by_code) == (ann.codes[3] + bytes(40), 7, True)
        assert h.people.sign_in.describe(h.caller(issued)).wrapped == ann.wrapped
        with refused("wrong_sign_in"):
            await h.people.sign_in.by_code(ann.by_code(ann.codes[3]), FAR)
        await h.people.sign_in.by_code(ann.by_code(ann.codes[4]), FAR)


async def test_an_attempt_by_backup_code_whose_answer_was_lost_is_made_again(tmp_path: Path) -> None:
    async with home(tmp_path) as h:
        ann, first = await h.claim()
        bob, _ = await h.join("bob")
        await h.people.accounts.replace_codes(h.caller(first), ann.new_codes(), HOME)
        mine, other = ann.by_code(ann.codes[0], b"A" * 16), ann.by_code(ann.codes[0], b"B" * 16)
        lost = await h.people.sign_in.by_code(mine, FAR)
        for wrong in (
            other,
            ann.by_code(ann.codes[0]),
            ann.by_code(os.urandom(32), b"A" * 16),
            bob.by_code(ann.codes[0], b"A" * 16),
        ):
            with refused("wrong_sign_in"):
                await h.people.sign_in.by_code(wrong, Place(home=False, circuit=9))
        h.clock.now += AGAIN_SECONDS - 1
        again = await h.people.sign_in.by_code(mine, FAR)
        told = again.session
        assert (told.wrapped, told.codes_left, told.by_code) == (ann.codes[0] + bytes(40), 7, True)
        # The sign-in of the lost answer ended for it.
        assert h.people.sign_in.caller(lost.access) is None
        assert len(h.people.sign_in.page(h.caller(first)).sessions) == 2
        h.clock.now += 2
        with refused("wrong_sign_in"):
            await h.people.sign_in.by_code(mine, FAR)
        assert h.people.sign_in.describe(h.caller(again)).by_code


@pytest.mark.parametrize("step", ["shown", "device", "refreshed", "ended", "passphrase"])
async def test_once_an_answer_arrived_its_backup_code_is_used_up(tmp_path: Path, step: str) -> None:
    async with home(tmp_path) as h:
        ann, first = await h.claim()
        await h.people.accounts.replace_codes(h.caller(first), ann.new_codes(), HOME)
        mine = ann.by_code(ann.codes[0], b"A" * 16)
        there = await h.people.sign_in.by_code(mine, FAR)
        caller = Caller(
            there.session.account, there.session.name, there.session.role, there.session.session, None
        )
        match step:
            case "shown":
                assert h.people.sign_in.caller(there.access) is not None
            case "device":
                await h.people.sign_in.bind(caller, b"D" * 16)
            case "refreshed":
                await h.people.sign_in.refresh(there.refresh)
            case "ended":
                await h.people.sign_in.end(caller, there.session.session)
            case "passphrase":
                await h.people.accounts.change_passphrase(caller, ann.changed(None), HOME)
        with refused("wrong_sign_in"):
            await h.people.sign_in.by_code(mine, FAR)


async def test_a_second_factor_whose_confirmation_was_lost_is_confirmed_again(tmp_path: Path) -> None:
    async with home(tmp_path) as h:
        ann, issued = await h.claim()
        caller = h.caller(issued)
        secret = (await h.people.accounts.begin_totp(caller, TotpBegin(ann.key), HOME)).secret
        code = totp.code(secret, int(h.clock() // 30))
        for _ in range(3):
            await h.people.accounts.confirm_totp(caller, TotpConfirm(code), HOME)
        for wrong in (f"{(int(code) + 1) % 1_000_000:06d}", totp.code(secret, int(h.clock() // 30) + 1)):
            with refused("wrong_state"):
                await h.people.accounts.confirm_totp(caller, TotpConfirm(wrong), HOME)
        # To sign in the code is used up all the same.
        with refused("wrong_sign_in"):
            await h.people.sign_in.sign_in(ann.sign_in(code), HOME)
        h.clock.now += (totp.AGAIN + 1) * totp.STEP_SECONDS
        with refused("wrong_state"):
            await h.people.accounts.confirm_totp(caller, TotpConfirm(code), HOME)
        await h.people.accounts.remove_totp(caller, ann.confirm(), HOME)
        with refused("wrong_state"):
            await h.people.accounts.confirm_totp(caller, TotpConfirm(code), HOME)


async def test_one_backup_code_used_twice_at_once_opens_once(tmp_path: Path) -> None:
    async with home(tmp_path) as h:
        ann, first = await h.claim()
        await h.people.accounts.replace_codes(h.caller(first), ann.new_codes(), HOME)
        outcomes: list[str] = []

        async def enter() -> None:
            try:
                await h.people.sign_in.by_code(ann.by_code(ann.codes[0]), HOME)
                outcomes.append("in")
            except Refusal as refusal:
                outcomes.append(refusal.code)

        async with trio.open_nursery() as nursery:
            for _ in range(4):
                nursery.start_soon(enter)
        assert outcomes.count("in") == 1 and set(outcomes) == {"in", "wrong_sign_in"}


async def test_guesses_at_backup_codes_are_slowed_but_keep_nobody_else_out(tmp_path: Path) -> None:
    async with home(tmp_path) as h:
        ann, first = await h.claim()
        await h.people.accounts.replace_codes(h.caller(first), ann.new_codes(), HOME)
        for _ in range(FREE):
            with refused("wrong_sign_in"):
                await h.people.sign_in.by_code(ann.by_code(os.urandom(32)), FAR)
        with refused("too_many"):
            await h.people.sign_in.by_code(ann.by_code(ann.codes[0]), FAR)
        elsewhere = Place(home=False, circuit=2)
        await h.people.sign_in.sign_in(ann.sign_in(), elsewhere)
        await h.people.sign_in.by_code(ann.by_code(ann.codes[0]), elsewhere)


# Sign-ins of one account


async def test_sign_ins_are_listed_and_ended(tmp_path: Path) -> None:
    async with home(tmp_path) as h:
        ann, first = await h.claim()
        _bob, bobs = await h.join()
        second = await h.people.sign_in.sign_in(ann.sign_in(), FAR)
        me = h.caller(first)
        rows = {row.session: row for row in h.people.sign_in.page(me).sessions}
        assert set(rows) == {first.session.session, second.session.session}
        assert rows[me.session].current and not rows[second.session.session].current
        for foreign in (bobs.session.session, bytes(16)):
            with refused("not_found"):
                await h.people.sign_in.end(me, foreign)
        await h.people.sign_in.end(me, second.session.session)
        assert not h.live(second) and h.live(first) and h.live(bobs)
        assert h.ended == [second.session.session]
        with refused("session_ended"):
            await h.people.sign_in.refresh(second.refresh)


async def test_a_device_is_bound_for_good_and_to_one_account(tmp_path: Path) -> None:
    device = os.urandom(16)
    async with home(tmp_path) as h:
        _, anns = await h.claim()
        _, bobs = await h.join()
        with refused("no_device"):
            h.caller(anns).require_device()
        await h.people.sign_in.bind(h.caller(anns), device)
        assert h.caller(anns).require_device() == device
        again = await h.people.sign_in.refresh(anns.refresh)
        assert h.caller(again).require_device() == device
        assert h.people.sign_in.page(h.caller(anns)).sessions[0].device == device
        with refused("wrong_state"):
            await h.people.sign_in.bind(h.caller(bobs), device)


async def test_the_sign_ins_of_a_removed_device_end(tmp_path: Path) -> None:
    async with home(tmp_path) as h:
        ann, first = await h.claim()
        issued = [first, *[await h.people.sign_in.sign_in(ann.sign_in(), HOME) for _ in range(3)]]
        for one, device in zip(issued, (b"D" * 16, b"D" * 16, b"E" * 16, b"D" * 16), strict=True):
            await h.people.sign_in.bind(h.caller(one), device)
        await h.people.sign_in.end_device(ann.account, b"D" * 16, but=first.session.session)
        assert [h.live(one) for one in issued] == [True, False, True, False]
        assert set(h.ended) == {issued[1].session.session, issued[3].session.session}


async def test_a_passphrase_that_changed_while_it_was_checked_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with home(tmp_path) as h:
        ann, issued = await h.claim()
        new = msgspec.structs.replace(Person("ann").changed(ann.key))
        real = Credentials.matches

        async def slow(self: Credentials, key: bytes, account: Account | None) -> bool:
            right = await real(self, key, account)
            monkeypatch.setattr(Credentials, "matches", real)
            await h.people.accounts.change_passphrase(h.caller(issued), new, HOME)
            return right

        monkeypatch.setattr(Credentials, "matches", slow)
        with refused("wrong_sign_in"):
            await h.people.sign_in.sign_in(ann.sign_in(), FAR)
