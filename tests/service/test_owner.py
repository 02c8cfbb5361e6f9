"""The owner: the claim, signing in, guesses, the locked box, a new passphrase."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
import trio.testing

from appliance.errors import Refusal
from appliance.protocol.desk import Claim
from appliance.service import owner as owner_module
from appliance.service.cards import Cards
from appliance.service.changes import Changes
from appliance.service.owner import SESSION_SECONDS, Guesses, Owner
from appliance.store import storekey
from tests.services import House, Time, opened, refused

GOOD = "correct horse battery"
NEW = "another long passphrase"


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Argon2id with little memory: what is tested here is not its price."""
    monkeypatch.setattr(storekey, "MEMORY_KIB", 64)
    monkeypatch.setattr(owner_module, "HASH_KIB", 64)


def owner_of(house: House) -> Owner:
    cards = Cards(house.store, house.ring, house.clock)
    return Owner(house.store, house.ring, house.clock, cards, Changes())


def claim_of(owner: Owner, **fields: object) -> Claim:
    values = {"token": owner.claim_token, "name": "Ann", "passphrase": GOOD, **fields}
    return Claim(**values)  # type: ignore[arg-type]


async def claimed(house: House, **fields: object) -> Owner:
    owner = owner_of(house)
    await owner.claim(claim_of(owner, **fields))
    return owner


async def test_the_link_claims_once(house: House) -> None:
    owner = owner_of(house)
    assert owner.claim_token and not owner.claimed and owner.name == ""
    link = owner.claim_token
    token = await owner.claim(claim_of(owner))
    assert (owner.claimed, owner.name, owner.session(token), owner.claim_token) == (True, "Ann", True, None)
    with refused("already_claimed"):
        await owner.claim(claim_of(owner, token=link))
    assert owner_of(house).claim_token is None, "a box with an owner prints no link"


async def test_two_who_claim_at_once_do_not_both_own_the_box(house: House) -> None:
    owner = owner_of(house)
    codes: list[str] = []

    async def try_it(name: str) -> None:
        try:
            await owner.claim(claim_of(owner, name=name))
            codes.append(name)
        except Refusal as refusal:
            codes.append(refusal.code)

    async with trio.open_nursery() as nursery:
        for name in ("Ann", "Bob"):
            nursery.start_soon(try_it, name)
    assert "already_claimed" in codes and owner.name in codes


@pytest.mark.parametrize("token", ["", "wrong", "ü", "\udcff"])
async def test_a_wrong_link_claims_nothing(house: House, token: str) -> None:
    owner = owner_of(house)
    with refused("wrong_token"):
        await owner.claim(claim_of(owner, token=token))
    assert not owner.claimed
    await owner.claim(claim_of(owner, token=""), trusted=True)


async def test_guesses_at_the_link_are_slowed(house: House, autojump_clock: object) -> None:
    owner = owner_of(house)
    for _ in range(owner_module.FREE_GUESSES):
        with refused("wrong_token"):
            await owner.claim(claim_of(owner, token="guess"))
    with refused("too_many"):
        await owner.claim(claim_of(owner))
    await trio.sleep(2.5)
    await owner.claim(claim_of(owner))


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"name": "  "}, "malformed"),
        ({"name": "a\nb"}, "malformed"),
        ({"passphrase": "short"}, "weak_passphrase"),
    ],
)
async def test_a_claim_needs_a_name_and_a_real_passphrase(
    house: House, fields: dict[str, str], code: str
) -> None:
    owner = owner_of(house)
    with refused(code):
        await owner.claim(claim_of(owner, **fields))
    assert not owner.claimed and owner.claim_token


async def test_sessions_begin_end_and_run_out(house: House, clock: Time) -> None:
    owner = await claimed(house)
    first, second = await owner.sign_in(GOOD), await owner.sign_in(GOOD)
    assert owner.session(first) and owner.session(second)
    assert not owner.session("") and not owner.session("x") and not owner.session("\udcff")
    await owner.sign_out(first)
    await owner.sign_out("never was")
    assert not owner.session(first) and owner.session(second)
    clock.now += SESSION_SECONDS + 1
    assert not owner.session(second)


async def test_sessions_outlive_a_restart_and_only_their_hash_is_kept(tmp_path: Path, clock: Time) -> None:
    async with opened(tmp_path / "data", clock) as house:
        token = await (await claimed(house)).sign_in(GOOD)
    assert token.encode() not in (tmp_path / "data" / "store.mdb").read_bytes()
    async with opened(tmp_path / "data", clock) as house:
        assert owner_of(house).session(token)


async def test_nobody_signs_in_before_the_claim(house: House) -> None:
    with refused("not_claimed"):
        await owner_of(house).sign_in(GOOD)


async def test_wrong_passphrases_are_slowed_also_side_by_side(house: House) -> None:
    owner = await claimed(house)
    codes: list[str] = []

    async def guess() -> None:
        try:
            await owner.sign_in("a guess too many")
        except Refusal as refusal:
            codes.append(refusal.code)

    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(guess)
    assert codes.count("wrong_passphrase") == owner_module.FREE_GUESSES
    assert codes.count("too_many") == 20 - owner_module.FREE_GUESSES


async def test_the_right_passphrase_forgets_wrong_ones(house: House) -> None:
    owner = await claimed(house)
    for _ in range(3):
        for _ in range(owner_module.FREE_GUESSES - 1):
            with refused("wrong_passphrase"):
                await owner.sign_in("guess")
        await owner.sign_in(GOOD)


def test_the_pause_between_guesses_grows_to_a_bound(autojump_clock: object) -> None:
    async def main() -> list[int]:
        guesses, waits = Guesses(), []
        for _ in range(owner_module.FREE_GUESSES):
            guesses.check()
            guesses.note(False)
        for _ in range(12):
            try:
                guesses.check()
                raise AssertionError
            except Refusal as refusal:
                waits.append(refusal.details["seconds"])
            await trio.sleep(waits[-1])
            guesses.check()
            guesses.note(False)
        return waits

    waits = trio.run(main, clock=autojump_clock)  # type: ignore[arg-type]
    assert waits == sorted(waits) and waits[0] <= 3 and waits[-1] == 301


async def test_a_protected_box_starts_locked_and_opens_with_the_passphrase(
    tmp_path: Path, clock: Time
) -> None:
    async with opened(tmp_path / "data", clock) as house:
        owner = await claimed(house)
        token = await owner.sign_in(GOOD)
        with refused("wrong_passphrase"):
            await owner.protect("guess", True)
        await owner.protect(GOOD, True)
        assert not owner.locked and owner.session(token)
    async with opened(tmp_path / "data", clock) as house:
        owner = owner_of(house)
        assert owner.locked and owner.claimed and owner.name == "Ann"
        assert not owner.unlocked.is_set() and not owner.session(token)
        with refused("locked"):
            house.ring.require()
        with refused("wrong_passphrase"):
            await owner.sign_in("guess")
        assert owner.locked
        fresh = await owner.sign_in(GOOD)
        assert owner.unlocked.is_set() and owner.session(fresh) and owner.session(token)
        await owner.protect(GOOD, False)
    async with opened(tmp_path / "data", clock) as house:
        assert not owner_of(house).locked


async def test_a_claim_may_protect_at_once(tmp_path: Path, clock: Time) -> None:
    async with opened(tmp_path / "data", clock) as house:
        await claimed(house, protect=True)
    async with opened(tmp_path / "data", clock) as house:
        assert owner_of(house).locked


async def test_tasks_wait_for_the_unlocking(tmp_path: Path, clock: Time) -> None:
    async with opened(tmp_path / "data", clock) as house:
        await claimed(house, protect=True)
    async with opened(tmp_path / "data", clock) as house, trio.open_nursery() as nursery:
        owner, began = owner_of(house), trio.Event()

        async def work() -> None:
            began.set()

        nursery.start_soon(owner.when_unlocked(work))
        await trio.testing.wait_all_tasks_blocked()
        assert not began.is_set()
        await owner.sign_in(GOOD)
        with trio.fail_after(1):
            await began.wait()


@pytest.mark.parametrize("protect", [False, True])
async def test_a_new_passphrase_ends_every_session(tmp_path: Path, clock: Time, protect: bool) -> None:
    async with opened(tmp_path / "data", clock) as house:
        owner = await claimed(house, protect=protect)
        token = await owner.sign_in(GOOD)
        with refused("weak_passphrase"):
            await owner.change_passphrase(GOOD, "short")
        with refused("wrong_passphrase"):
            await owner.change_passphrase("guess", NEW)
        assert owner.session(token)
        await owner.change_passphrase(GOOD, NEW)
        assert not owner.session(token)
    async with opened(tmp_path / "data", clock) as house:
        owner = owner_of(house)
        assert owner.locked == protect
        with refused("wrong_passphrase"):
            await owner.sign_in(GOOD)
        await owner.sign_in(NEW)
        assert not owner.locked


async def test_power_cut_between_the_two_steps_of_a_change(tmp_path: Path, clock: Time) -> None:
    """The store key is wrapped by the new passphrase, the verifier is still of the old one."""
    async with opened(tmp_path / "data", clock) as house:
        await claimed(house, protect=True)
        await house.ring.protect(NEW)
    async with opened(tmp_path / "data", clock) as house:
        owner = owner_of(house)
        await owner.sign_in(NEW)
        await owner.protect(NEW, False)
        await owner.sign_in(NEW)
        with refused("wrong_passphrase"):
            await owner.sign_in(GOOD)


async def test_a_name_and_a_passphrase_changed_at_once_both_hold(house: House) -> None:
    owner = await claimed(house)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(owner.change_passphrase, GOOD, NEW)
        for name in ("Bea", "Cleo", "Dora"):
            nursery.start_soon(owner.rename, name)
    assert owner.name in ("Bea", "Cleo", "Dora")
    await owner.sign_in(NEW)
    with refused("malformed"):
        await owner.rename("\x07")


async def test_the_identity_follows_the_name(house: House) -> None:
    owner = await claimed(house)
    before = await owner.identity()
    await owner.rename("Bea")
    after = await owner.identity()
    assert (before.name, after.name) == ("Ann", "Bea")
    assert before.card != after.card and before.address == after.address == house.host
