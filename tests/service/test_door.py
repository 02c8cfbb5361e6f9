"""The door: the claim, invites, open registration by work, and what a cut leaves behind."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from appliance.errors import Refusal
from appliance.protocol.account import InviteCheck, Kdf
from appliance.protocol.messages import WorkChallenge, WorkSolution
from appliance.protocol.work import is_solved
from appliance.service.guesses import FREE, Place
from appliance.service.sign_in import SignIn
from appliance.store import accounts
from tests.households import HOME, Home, Person, home
from tests.services import Time, refused

EASY = {"registration": "open", "registration_memory_kib": 64, "registration_bits": 2}


def solve(challenge: WorkChallenge | None) -> WorkSolution:
    assert challenge is not None
    tries = (bytes([number]) for number in itertools.count())
    return WorkSolution(challenge.challenge, next(one for one in tries if is_solved(challenge, one)))


def names(h: Home) -> list[str]:
    machine = h.house.ring.machine
    return [one.name for one in h.house.store.read(lambda txn: accounts.list_all(txn, machine))]


async def test_the_link_claims_once(tmp_path: Path) -> None:
    async with home(tmp_path) as h:
        door, ann, eve = h.people.door, Person("ann"), Person("eve")
        token = door.claim_token
        assert token and not h.people.nameplate.claimed and not door.look().claimed
        issued = await door.register(ann.register(token), HOME)
        assert (issued.session.role, h.live(issued), door.claim_token) == ("owner", True, None)
        assert (h.people.nameplate.title, h.people.nameplate.first_owner) == ("ann", "ann")
        with refused("invite"):
            await door.register(eve.register(token), HOME)
        with refused("registration"):
            await door.register(eve.register(), HOME, trusted=True)
    async with home(tmp_path) as h:
        assert h.people.door.claim_token is None, "a box with an owner prints no link"


async def test_two_who_claim_at_once_do_not_both_own_the_box(tmp_path: Path) -> None:
    async with home(tmp_path) as h:
        outcomes: list[str] = []

        async def claim(name: str) -> None:
            try:
                outcomes.append((await h.claim(name))[1].session.name)
            except Refusal as refusal:
                outcomes.append(refusal.code)

        async with trio.open_nursery() as nursery:
            for name in ("ann", "bob", "cleo"):
                nursery.start_soon(claim, name)
        assert len(names(h)) == 1 and names(h)[0] in outcomes
        assert set(outcomes) - set(names(h)) <= {"already_claimed", "registration"}


@pytest.mark.parametrize("token", ["", "wrong", "ü", "\udcff"])
async def test_a_wrong_link_claims_nothing(tmp_path: Path, token: str) -> None:
    async with home(tmp_path) as h:
        with refused("wrong_token"):
            await h.people.door.register(Person("ann").register(token), HOME)
        assert not h.people.nameplate.claimed
        await h.claim()


async def test_guesses_at_the_link_are_slowed(tmp_path: Path, autojump_clock: object) -> None:
    async with home(tmp_path) as h:
        ann, token = Person("ann"), h.people.door.claim_token or ""
        for _ in range(FREE):
            with refused("wrong_token"):
                await h.people.door.register(ann.register("guess"), HOME)
        with refused("too_many"):
            await h.people.door.register(ann.register(token), HOME)
        await trio.sleep(2.5)
        await h.people.door.register(ann.register(token), HOME)


async def test_an_invite_gives_its_role_to_as_many_as_it_says(tmp_path: Path) -> None:
    async with home(tmp_path) as h:
        await h.claim()
        code = await h.invite(uses=2, role="admin")
        assert h.people.door.check(InviteCheck(code), HOME).role == "admin"
        for name in ("bob", "cleo"):
            issued = await h.people.door.register(Person(name).register(code), HOME)
            assert (issued.session.role, h.caller(issued).role) == ("admin", "admin")
        with refused("invite"):
            await h.people.door.register(Person("dora").register(code), HOME)
        with refused("invite"):
            h.people.door.check(InviteCheck(code), HOME)


async def test_one_invite_used_by_many_at_once_lets_one_in(tmp_path: Path) -> None:
    async with home(tmp_path) as h:
        await h.claim()
        code = await h.invite()
        outcomes: list[str] = []

        async def join(name: str) -> None:
            try:
                await h.people.door.register(Person(name).register(code), HOME)
                outcomes.append("in")
            except Refusal as refusal:
                outcomes.append(refusal.code)

        async with trio.open_nursery() as nursery:
            for number in range(5):
                nursery.start_soon(join, f"bob{number}")
        assert sorted(outcomes) == ["in"] + ["invite"] * 4 and len(names(h)) == 2


async def test_a_late_invite_lets_nobody_in(tmp_path: Path) -> None:
    async with home(tmp_path) as h:
        await h.claim()
        code = await h.invite(hours=1)
        h.clock.now += 3600
        with refused("invite"):
            await h.people.door.register(Person("bob").register(code), HOME)


async def test_guesses_at_invites_are_slowed(tmp_path: Path) -> None:
    async with home(tmp_path) as h:
        await h.claim()
        far = Place(home=False, circuit=3)
        for number in range(FREE):
            with refused("invite"):
                h.people.door.check(InviteCheck(f"guess{number}"), far)
        with refused("too_many"):
            h.people.door.check(InviteCheck("guess"), far)
        with refused("too_many"):
            await h.people.door.register(Person("bob").register("guess"), far)


async def test_an_open_box_takes_who_does_the_work_once(tmp_path: Path) -> None:
    async with home(tmp_path, **EASY) as h:
        assert h.people.door.look().work is None, "an unclaimed box is not open"
        await h.claim()
        challenge = h.people.door.look().work
        assert challenge is not None and (challenge.memory_kib, challenge.bits) == (64, 2)
        work = solve(challenge)
        with refused("registration"):
            await h.people.door.register(Person("bob").register(), HOME)
        with refused("name_taken"):
            await h.people.door.register(Person("ann").register(work=work), HOME)
        issued = await h.people.door.register(Person("bob").register(work=work), HOME)
        assert issued.session.role == "member"
        for bad in (work, WorkSolution(bytes(16), b"")):
            with refused("work"):
                await h.people.door.register(Person("cleo").register(work=bad), HOME)
        assert names(h) == ["ann", "bob"]


async def test_an_open_box_takes_so_many_in_an_hour_and_in_all(tmp_path: Path) -> None:
    async with home(tmp_path, **EASY, registrations_hour=2, accounts_most=4) as h:
        await h.claim()

        async def join(name: str) -> None:
            work = solve(h.people.door.look().work)
            await h.people.door.register(Person(name).register(work=work), HOME)

        await join("bob")
        await join("cleo")
        with refused("busy"):
            await join("dora")
        h.clock.now += 3600
        await join("dora")
        with refused("registration"):
            await join("eve")


@pytest.mark.parametrize("policy", ["invite", "closed"])
async def test_a_box_that_is_not_open_shows_no_puzzle(tmp_path: Path, policy: str) -> None:
    async with home(tmp_path, registration=policy) as h:
        await h.claim()
        code = await h.invite()
        look = h.people.door.look()
        assert (look.work, look.registration, look.title) == (None, policy, "ann")
        if policy == "closed":
            with refused("registration"):
                h.people.door.check(InviteCheck(code), HOME)
            with refused("registration"):
                await h.people.door.register(Person("bob").register(code), HOME)


async def test_a_weak_stretching_is_refused(tmp_path: Path) -> None:
    async with home(tmp_path) as h:
        for kdf in (Kdf(bytes(16), 63, 1), Kdf(bytes(16), 64, 0)):
            with refused("weak_passphrase"):
                await h.people.door.register(Person("ann").register(kdf=kdf), HOME, trusted=True)


async def test_nobody_takes_the_name_or_the_id_of_another(tmp_path: Path) -> None:
    async with home(tmp_path) as h:
        ann, _ = await h.claim()
        code = await h.invite()
        with refused("name_taken"):
            await h.people.door.register(Person("ann").register(code), HOME)
        for eve in (Person("eve", account=ann.account), Person("eve", account=bytes(16))):
            with pytest.raises(Refusal):
                await h.people.door.register(eve.register(code), HOME)
        with refused("wrong_sign_in"):
            await h.people.door.register(Person("ann", account=ann.account).register(code), HOME)
        await h.people.door.register(Person("bob").register(code), HOME)  # the invite was not used up


async def test_a_registration_whose_answer_was_lost_is_asked_again(tmp_path: Path) -> None:
    async with home(tmp_path) as h:
        await h.claim()
        bob, code = Person("bob"), await h.invite()
        first = await h.people.door.register(bob.register(code), HOME)
        again = await h.people.door.register(bob.register(code), HOME)
        assert again.session.account == first.session.account and h.live(again)
        assert names(h) == ["ann", "bob"]


async def test_half_a_registration_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The power fails in the transaction after everything but the sign-in was written."""
    clock = Time()
    async with home(tmp_path, clock) as h:
        await h.claim()
        bob, code = Person("bob"), await h.invite()
        start: Callable[..., object] = SignIn.start

        def fail(*_: object, **__: object) -> None:
            raise RuntimeError("power failure")

        monkeypatch.setattr(SignIn, "start", fail)
        with pytest.raises(RuntimeError):
            await h.people.door.register(bob.register(code), HOME)
        monkeypatch.setattr(SignIn, "start", start)
    async with home(tmp_path, clock) as h:
        assert names(h) == ["ann"]
        await h.people.door.register(bob.register(code), HOME)
