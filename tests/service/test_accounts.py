"""One's own account: passphrase, codes, second factor, export, deletion, and the protection of the box."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import trio

from appliance.errors import Refusal
from appliance.protocol.account import ChangeMember, Confirm, Kdf, TotpBegin, TotpConfirm
from appliance.protocol.desk import Protection
from appliance.service import totp
from appliance.service.caller import OPERATOR
from appliance.service.guesses import FREE
from appliance.store import accounts, storekey
from appliance.store.engine import Transaction
from appliance.store.storekey import KeyRing
from tests.households import HOME, Home, Person, home
from tests.services import Time, refused


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Argon2id with little memory: what is tested here is not its price."""
    monkeypatch.setattr(storekey, "MEMORY_KIB", 64)


async def test_a_new_passphrase_ends_other_sign_ins_and_the_old_key(tmp_path: Path) -> None:
    async with home(tmp_path) as h:
        ann, first = await h.claim()
        other = await h.people.sign_in.sign_in(ann.sign_in(), HOME)
        new = Person("ann", account=ann.account)
        for old in (None, bytes(32), new.key):
            with refused("wrong_passphrase"):
                await h.people.accounts.change_passphrase(h.caller(first), new.changed(old), HOME)
        assert h.live(other)
        change = new.changed(ann.key)
        await h.people.accounts.change_passphrase(h.caller(first), change, HOME)
        assert h.live(first) and not h.live(other) and h.ended == [other.session.session]
        assert h.people.sign_in.parameters("ann") == change.kdf
        with refused("wrong_sign_in"):
            await h.people.sign_in.sign_in(ann.sign_in(), HOME)
        assert (await h.people.sign_in.sign_in(new.sign_in(), HOME)).session.wrapped == new.wrapped


async def test_a_weak_stretching_is_refused(tmp_path: Path) -> None:
    async with home(tmp_path) as h:
        ann, issued = await h.claim()
        change = ann.changed(ann.key)
        weak = type(change)(Kdf(bytes(16), 63, 1), change.authentication, change.wrapped, ann.key)
        with refused("weak_passphrase"):
            await h.people.accounts.change_passphrase(h.caller(issued), weak, HOME)


async def test_after_a_backup_code_the_passphrase_is_set_anew_once_without_the_old_one(
    tmp_path: Path,
) -> None:
    async with home(tmp_path) as h:
        ann, first = await h.claim()
        await h.people.accounts.replace_codes(h.caller(first), ann.new_codes(), HOME)
        issued = await h.people.sign_in.by_code(ann.by_code(ann.codes[0]), HOME)
        new = Person("ann", account=ann.account)
        await h.people.accounts.change_passphrase(h.caller(issued), new.changed(None), HOME)
        assert not h.live(first)
        with refused("wrong_passphrase"):
            await h.people.accounts.change_passphrase(h.caller(issued), new.changed(None), HOME)
        await h.people.sign_in.sign_in(new.sign_in(), HOME)


async def test_new_codes_need_the_passphrase_once_there_are_some(tmp_path: Path) -> None:
    async with home(tmp_path) as h:
        ann, issued = await h.claim()
        me, new = h.caller(issued), Person("ann")
        first = ann.new_codes()
        for _ in range(2):  # again, because the answer was lost
            await h.people.accounts.replace_codes(me, first, HOME)
        for confirm in (None, bytes(32)):
            with refused("wrong_passphrase"):
                await h.people.accounts.replace_codes(me, new.new_codes(confirm), HOME)
        await h.people.accounts.replace_codes(me, new.new_codes(ann.key), HOME)
        with refused("wrong_sign_in"):
            await h.people.sign_in.by_code(ann.by_code(ann.codes[0]), HOME)
        assert (await h.people.sign_in.by_code(ann.by_code(new.codes[0]), HOME)).session.codes_left == 7


async def test_a_second_factor_holds_only_once_a_code_of_it_was_shown(tmp_path: Path) -> None:
    async with home(tmp_path) as h:
        ann, issued = await h.claim()
        me, own = h.caller(issued), h.people.accounts
        with refused("wrong_state"):
            await own.confirm_totp(me, TotpConfirm("123456"), HOME)
        with refused("wrong_passphrase"):
            await own.begin_totp(me, TotpBegin(bytes(32)), HOME)
        made = await own.begin_totp(me, TotpBegin(ann.key), HOME)
        assert len(made.secret) == 20 and made.uri.startswith("otpauth://totp/")
        with refused("wrong_sign_in"):
            await own.confirm_totp(me, TotpConfirm("000000"), HOME)
        assert not (await h.people.sign_in.sign_in(ann.sign_in(), HOME)).session.totp
        await own.confirm_totp(me, TotpConfirm(totp.code(made.secret, int(h.clock() // 30))), HOME)
        with refused("second_factor"):
            await h.people.sign_in.sign_in(ann.sign_in(), HOME)
        with refused("wrong_passphrase"):
            await own.remove_totp(me, Confirm(bytes(32)), HOME)
        await own.remove_totp(me, ann.confirm(), HOME)
        assert not (await h.people.sign_in.sign_in(ann.sign_in(), HOME)).session.totp


async def test_guesses_at_the_passphrase_from_within_are_slowed(tmp_path: Path) -> None:
    async with home(tmp_path) as h:
        ann, issued = await h.claim()
        for _ in range(FREE):
            with refused("wrong_passphrase"):
                await h.people.accounts.delete(h.caller(issued), Confirm(bytes(32)), HOME)
        with refused("too_many"):
            await h.people.accounts.remove_totp(h.caller(issued), ann.confirm(), HOME)


async def test_an_export_says_what_the_box_keeps(tmp_path: Path) -> None:
    async with home(tmp_path) as h:
        _, issued = await h.claim()
        empty = await h.people.accounts.export(h.caller(issued))
        assert (empty.name, empty.role, len(empty.sessions), empty.vault_records) == ("ann", "owner", 1, 0)

        def vault(txn: Transaction, account: bytes, name: str) -> dict[str, Any]:
            assert (account, name) == (issued.session.account, "ann")
            return {"vault_records": 3, "vault_octets": 900}

        h.people.hooks.export.append(vault)
        full = await h.people.accounts.export(h.caller(issued))
        assert (full.vault_records, full.vault_octets, full.waiting) == (3, 900, 0)


async def test_a_deleted_account_is_gone_with_all_that_belongs_to_it(tmp_path: Path) -> None:
    async with home(tmp_path) as h:
        await h.claim()
        bob, issued = await h.join()
        device = os.urandom(16)
        await h.people.sign_in.bind(h.caller(issued), device)
        told: list[tuple[str, bytes]] = []
        h.people.hooks.forget.append(lambda txn, account, name: told.append((name, account)))

        async def gone(account: bytes) -> None:
            told.append(("gone", account))

        h.people.hooks.gone.append(gone)
        with refused("wrong_passphrase"):
            await h.people.accounts.delete(h.caller(issued), Confirm(bytes(32)), HOME)
        assert not told
        await h.people.accounts.delete(h.caller(issued), bob.confirm(), HOME)
        assert told == [("bob", bob.account), ("gone", bob.account)]
        assert not h.live(issued) and h.ended == [issued.session.session]
        for attempt in (
            h.people.sign_in.refresh(issued.refresh),
            h.people.sign_in.sign_in(bob.sign_in(), HOME),
        ):
            with pytest.raises(Refusal):
                await attempt
        assert h.people.accounts.find("bob") is None
        _, again = await h.join("bob")
        await h.people.sign_in.bind(h.caller(again), device)


async def test_a_deletion_that_fails_in_the_middle_leaves_all(tmp_path: Path) -> None:
    async with home(tmp_path) as h:
        await h.claim()
        bob, issued = await h.join()

        def fail(txn: Transaction, account: bytes, name: str) -> None:
            raise RuntimeError("power failure")

        h.people.hooks.forget.append(fail)
        with pytest.raises(RuntimeError):
            await h.people.accounts.delete(h.caller(issued), bob.confirm(), HOME)
        assert h.live(issued) and h.people.accounts.find("bob") == bob.account
        await h.people.sign_in.sign_in(bob.sign_in(), HOME)


async def test_the_last_owner_cannot_leave(tmp_path: Path) -> None:
    async with home(tmp_path) as h:
        ann, issued = await h.claim()
        with refused("last_owner"):
            await h.people.accounts.delete(h.caller(issued), ann.confirm(), HOME)
        assert h.live(issued)


# The protection of the box


async def protect(h: Home, person: Person, protect: bool = True) -> None:
    await h.people.accounts.protect(OPERATOR, Protection(person.key, protect), HOME)


async def test_a_protected_box_starts_locked_and_opens_for_its_owner(tmp_path: Path) -> None:
    clock = Time()
    async with home(tmp_path, clock) as h:
        ann, first = await h.claim()
        bob, bobs = await h.join()
        with refused("wrong_passphrase"):
            await protect(h, bob)
        await protect(h, ann)
        assert h.people.lock.protected and not h.people.lock.locked
    async with home(tmp_path, clock) as h:
        people = h.people
        assert people.lock.locked and people.nameplate.claimed and people.nameplate.first_owner == "ann"
        assert not people.lock.unlocked.is_set()
        for waits in (
            people.sign_in.sign_in(bob.sign_in(), HOME),
            people.sign_in.refresh(first.refresh),
            people.sign_in.refresh(bobs.refresh),
            people.sign_in.by_code(ann.by_code(ann.codes[0]), HOME),
            people.door.register(Person("cleo").register(), HOME),
        ):
            with refused("locked"):
                await waits
        with refused("wrong_sign_in"):
            await people.sign_in.sign_in(ann.sign_in(key=bytes(32)), HOME)
        assert people.lock.locked
        issued = await people.sign_in.sign_in(ann.sign_in(), HOME)
        assert people.lock.unlocked.is_set() and h.live(issued)
        assert h.live(await people.sign_in.refresh(bobs.refresh)), "what was signed in before is again"
        await protect(h, ann, False)
    async with home(tmp_path, clock) as h:
        assert not h.people.lock.locked


async def test_a_locked_box_opens_by_passphrase_and_second_factor_only(tmp_path: Path) -> None:
    clock = Time()
    async with home(tmp_path, clock) as h:
        ann, issued = await h.claim(protect=True)
        secret = (await h.people.accounts.begin_totp(h.caller(issued), TotpBegin(ann.key), HOME)).secret
        code = totp.code(secret, int(clock() // 30))
        await h.people.accounts.confirm_totp(h.caller(issued), TotpConfirm(code), HOME)
    async with home(tmp_path, clock) as h:
        for attempt, told in ((None, "second_factor"), ("000000", "wrong_sign_in"), (code, "wrong_sign_in")):
            with refused(told):
                await h.people.sign_in.sign_in(ann.sign_in(attempt), HOME)
            assert h.people.lock.locked
        clock.now += 30
        await h.people.sign_in.sign_in(ann.sign_in(totp.code(secret, int(clock() // 30))), HOME)
        assert not h.people.lock.locked


async def test_a_new_passphrase_of_the_owner_opens_the_box(tmp_path: Path) -> None:
    clock = Time()
    async with home(tmp_path, clock) as h:
        ann, issued = await h.claim(protect=True)
        new = Person("ann", account=ann.account)
        await h.people.accounts.change_passphrase(h.caller(issued), new.changed(ann.key), HOME)
    async with home(tmp_path, clock) as h:
        assert h.people.lock.locked
        with refused("wrong_sign_in"):
            await h.people.sign_in.sign_in(ann.sign_in(), HOME)
        await h.people.sign_in.sign_in(new.sign_in(), HOME)
        assert not h.people.lock.locked


@pytest.mark.parametrize("after_commit", [False, True])
async def test_a_cut_in_the_middle_of_a_change_leaves_one_passphrase_for_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after_commit: bool
) -> None:
    clock = Time()
    async with home(tmp_path, clock) as h:
        ann, issued = await h.claim(protect=True)
        new = Person("ann", account=ann.account)

        def fail(*_: object) -> None:
            raise RuntimeError("power failure")

        real = accounts.save
        if after_commit:
            monkeypatch.setattr(KeyRing, "adopt", fail)
        else:
            monkeypatch.setattr(accounts, "save", fail)
        with pytest.raises(RuntimeError):
            await h.people.accounts.change_passphrase(h.caller(issued), new.changed(ann.key), HOME)
        monkeypatch.setattr(accounts, "save", real)
    async with home(tmp_path, clock) as h:
        holds, fails = (new, ann) if after_commit else (ann, new)
        with refused("wrong_sign_in"):
            await h.people.sign_in.sign_in(fails.sign_in(), HOME)
        await h.people.sign_in.sign_in(holds.sign_in(), HOME)
        assert not h.people.lock.locked


async def test_who_protects_the_box_neither_leaves_nor_loses_the_role(tmp_path: Path) -> None:
    async with home(tmp_path) as h:
        ann, issued = await h.claim(protect=True)
        bob, bobs = await h.join()
        await h.people.members.change(OPERATOR, bob.account, ChangeMember(role="owner"))
        with refused("wrong_state"):
            await h.people.accounts.delete(h.caller(issued), ann.confirm(), HOME)
        for change in (ChangeMember(role="member"), ChangeMember(suspended=True)):
            with refused("wrong_state"):
                await h.people.members.change(OPERATOR, ann.account, change)
        bobs = await h.people.sign_in.refresh(bobs.refresh)
        await h.people.accounts.protect(h.caller(bobs), Protection(bob.key, True), HOME)
        await h.people.accounts.delete(h.caller(issued), ann.confirm(), HOME)
        assert h.people.nameplate.first_owner == "bob"


async def test_members_cannot_protect(tmp_path: Path) -> None:
    async with home(tmp_path) as h:
        await h.claim()
        bob, bobs = await h.join()
        with refused("owner_only"):
            await h.people.accounts.protect(h.caller(bobs), Protection(bob.key, True), HOME)
        assert not h.people.lock.protected


async def test_tasks_wait_for_the_unlocking(tmp_path: Path) -> None:
    clock = Time()
    async with home(tmp_path, clock) as h:
        ann, _ = await h.claim(protect=True)
    async with home(tmp_path, clock) as h, trio.open_nursery() as nursery:
        began = trio.Event()

        async def work() -> None:
            began.set()

        nursery.start_soon(h.people.lock.when_unlocked(work))
        await trio.testing.wait_all_tasks_blocked()
        assert not began.is_set()
        await h.people.sign_in.sign_in(ann.sign_in(), HOME)
        with trio.fail_after(1):
            await began.wait()
