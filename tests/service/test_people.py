"""Look-ups at other boxes, honest and lying: what is passed on, and what a member's client sees in it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
import trio

from appliance.errors import Refusal
from appliance.protocol import codec
from appliance.protocol.directory import (
    Consistency,
    FarConsistency,
    FarLookUp,
    FarTake,
    Found,
    LookUp,
    Publish,
    Taken,
    TakenPrekey,
    TakePrekeys,
)
from appliance.protocol.keys import SigningKey
from appliance.protocol.messages import WorkChallenge
from appliance.protocol.prekeys import sign_bundle
from appliance.protocol.stream import problems
from appliance.protocol.transparency import check_consistency, check_found, read_checkpoint
from appliance.service import people as module
from appliance.service.directory import Directory
from appliance.service.people import ANSWER_OCTETS, SECONDS, WAITING, People
from appliance.service.puzzle import Puzzle
from appliance.service.remotes import Remotes
from tests.persons import Gadget, Person
from tests.rogues import Ledger, Rogue
from tests.service.test_puzzle import EASY
from tests.services import House, refused


@asynccontextmanager
async def meeting(
    house: House, answer: Callable[[str, bytes], tuple[int, bytes] | None]
) -> AsyncIterator[tuple[People, Rogue, Person]]:
    """People of our house, a far box that answers so, and a member of ours who asks."""
    async with trio.open_nursery() as nursery:
        rogue = Rogue(nursery, answer)
        directory = Directory(house.store, house.ring, replace(house.config, **EASY), house.clock)
        async with Remotes(rogue.dial) as remotes:
            box = house.ring.identity.public
            yield People(remotes, directory, box), rogue, Person("ada", box)
        nursery.cancel_scope.cancel()


def body(value: Any) -> tuple[int, bytes]:
    return 200, codec.encode(value)


def refusal(code: str) -> tuple[int, bytes]:
    found = Refusal(code)
    return found.status, codec.encode(problems(found))


async def test_an_answer_is_passed_on_as_it_came_and_nothing_is_kept(house: House) -> None:
    box = SigningKey(os.urandom(32))
    bob = Person("bob", box.public)
    log = Ledger(box, [bob.entry()])
    said: list[Found] = []

    def answer(path: str, asked: bytes) -> tuple[int, bytes]:
        assert path == "/v1/directory"
        query = codec.read(asked, LookUp)
        said.append(log.found(len(log.entries) - 1, query.size, [bob.bundle()]))
        return body(said[-1])

    async with meeting(house, answer) as (people, rogue, ada):
        rogue.box = box
        address = f"bob@{rogue.host}"
        first = await people.look_up(ada.caller(), FarLookUp(address))
        entry, bundles, head = check_found(first, "bob", box.public, None, None)
        assert (first, entry.revision, len(bundles)) == (said[0], 1, 1)
        log.entries += [Person("eve", box.public).entry(), bob.entry()]
        second = await people.look_up(ada.caller(), FarLookUp(address, head.size))
        assert second == said[1]
        assert check_found(second, "bob", box.public, entry.identity, head, 1)[0].revision == 2
        assert [query.size for query in rogue.asked_for()] == [0, 1]


async def test_members_of_one_box_have_circuits_of_their_own(house: House) -> None:
    async with meeting(house, lambda *_: refusal("no_account")) as (people, rogue, ada):
        for asker in (ada, ada, Person("bob", ada.box)):
            with refused("no_account"):
                await people.look_up(asker.caller(), FarLookUp(f"eve@{rogue.host}"))
        isolations = {isolation for _, isolation in rogue.dialled}
        assert len(isolations) == 2
        assert not any(ada.account.hex() in isolation for isolation in isolations)


async def test_our_own_people_are_found_without_any_dial(house: House) -> None:
    async with meeting(house, lambda *_: None) as (people, rogue, ada):
        directory = people._directory
        directory.configure(replace(house.config, **EASY, prekeys_free=1))
        await directory.publish(ada.caller(), ada.publication(4))
        address = f"ada@{house.host}"
        found = await people.look_up(ada.caller(), FarLookUp(address))
        check_found(found, "ada", ada.box, ada.identity.public, None)
        for _ in range(4):
            taken = await people.take(ada.caller(), FarTake(address, [ada.devices[0].id]))
            assert taken.prekeys[0].prekey is not None and taken.work is None
        await directory.publish(ada.caller(None), Publish(ada.entry()))
        older = read_checkpoint(found.proof.checkpoint, ada.box)
        proof = await people.consistency(ada.caller(), FarConsistency(address, 1))
        check_consistency(older, read_checkpoint(proof.checkpoint, ada.box), proof.hashes)
        assert rogue.dialled == []


@pytest.mark.parametrize("address", ["bob", "bob@example.com", "", "@" * 100])
async def test_what_is_no_address_is_asked_of_nobody(house: House, address: str) -> None:
    async with meeting(house, lambda *_: None) as (people, rogue, ada):
        for ask in (
            people.look_up(ada.caller(), FarLookUp(address)),
            people.take(ada.caller(), FarTake(address, [b"D" * 16])),
            people.consistency(ada.caller(), FarConsistency(address, 0)),
        ):
            with refused("bad_address"):
                await ask
        assert rogue.dialled == []


# Boxes that do not behave


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (refusal("no_account"), "no_account"),
        (refusal("busy"), "busy"),
        (refusal("session_ended"), "bad_answer"),
        (refusal("second_factor"), "bad_answer"),
        ((200, b"\xff"), "bad_answer"),
        (body({"entry": b"x"}), "bad_answer"),
        ((200, bytes(ANSWER_OCTETS + 1)), "bad_answer"),
        ((500, b"no refusal"), "bad_answer"),
        ((404, bytes(1 << 20)), "bad_answer"),
    ],
)
async def test_only_words_about_the_question_are_passed_on(
    house: House, answer: tuple[int, bytes], code: str
) -> None:
    async with meeting(house, lambda *_: answer) as (people, rogue, ada):
        with refused(code):
            await people.look_up(ada.caller(), FarLookUp(f"bob@{rogue.host}"))


async def test_a_box_that_says_nothing_is_given_up_and_does_not_hold_up_others(
    house: House, autojump_clock: trio.testing.MockClock
) -> None:
    async with meeting(house, lambda *_: None) as (people, rogue, ada):
        refusals: list[str] = []

        async def ask(caller: Any) -> None:
            try:
                await people.look_up(caller, FarLookUp(f"bob@{rogue.host}"))
            except Refusal as found:
                refusals.append(found.code)

        begun = trio.current_time()
        async with trio.open_nursery() as nursery:
            for _ in range(WAITING + 3):
                nursery.start_soon(ask, ada.caller())
            nursery.start_soon(ask, Person("eve", ada.box).caller())
        assert sorted(refusals) == ["too_many"] * 3 + ["unreachable"] * (WAITING + 1)
        assert trio.current_time() - begun <= 2 * SECONDS
        refusals.clear()
        await ask(ada.caller())
        assert refusals == ["unreachable"]


async def test_questions_of_all_members_together_are_bounded(
    house: House, autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ALL_WAITING", 5)
    async with meeting(house, lambda *_: None) as (people, rogue, ada):
        refusals: list[str] = []

        async def ask(name: str) -> None:
            try:
                await people.look_up(Person(name, ada.box).caller(), FarLookUp(f"bob@{rogue.host}"))
            except Refusal as found:
                refusals.append(found.code)

        async with trio.open_nursery() as nursery:
            for number in range(8):
                nursery.start_soon(ask, f"p{number}")
        assert sorted(refusals) == ["busy"] * 3 + ["unreachable"] * 5


async def test_a_client_sees_what_a_lying_box_did(house: House) -> None:
    box, thief = SigningKey(os.urandom(32)), SigningKey(os.urandom(32))
    bob = Person("bob", box.public, devices=[Gadget(), Gadget()])
    log = Ledger(box, [bob.entry(), Person("eve", box.public).entry(), bob.entry()])
    fork = Ledger(box, [log.entries[0], Person("mallory", box.public).entry(), *log.entries[2:]])
    present: list[Found] = [log.found(2, 0, [bob.bundle(0), bob.bundle(1)])]

    async with meeting(house, lambda *_: body(present[0])) as (people, rogue, ada):
        rogue.box = box

        async def ask(size: int = 0) -> Found:
            return await people.look_up(ada.caller(), FarLookUp(f"bob@{rogue.host}", size))

        entry, bundles, head = check_found(await ask(), "bob", box.public, None, None)
        assert len(bundles) == 2
        known = ("bob", box.public, entry.identity, head, entry.revision)

        # An entry that was replaced, with its true proof.
        present[0] = log.found(0)
        with refused("old_entry"):
            check_found(await ask(3), *known)
        # A forked log: as large, larger, with and without a proof; and one that has shrunk.
        present[0] = fork.found(2)
        with refused("bad_log"):
            check_found(await ask(3), *known)
        fork.entries.append(bob.entry())
        for older in (3, 0):
            present[0] = fork.found(3, older)
            with refused("bad_log"):
                check_found(await ask(3), *known)
        present[0] = Ledger(box, [log.entries[0], log.entries[2]]).found(1)
        with refused("bad_log"):
            check_found(await ask(3), *known)
        # An entry that is not in the log that is shown, and a log that another key signed.
        true = log.found(2)
        present[0] = Found(bob.entry(revision=3), true.proof, [])
        with refused("bad_log"):
            check_found(await ask(3), *known)
        present[0] = Ledger(thief, log.entries).found(2)
        with refused("bad_log"):
            check_found(await ask(3), *known)
        # Another identity under the name, rightly logged.
        double = Person("bob", box.public)
        log.entries.append(double.entry())
        present[0] = log.found(3, 3)
        with refused("bad_entry"):
            check_found(await ask(3), *known)
        # A bundle that the device did not sign does not come through; the other one does.
        forged = sign_bundle(thief, bob.plain_bundle(0))
        present[0] = log.found(2, 3, [forged, bob.bundle(1), double.bundle()])
        found = check_found(await ask(3), *known)[1]
        assert [one.device for one in found] == [bob.devices[1].id]


async def test_a_far_log_is_proven_to_go_on(house: House) -> None:
    box = SigningKey(os.urandom(32))
    log = Ledger(box, [Person(f"p{number}", box.public).entry() for number in range(6)])
    asked: list[tuple[str, bytes]] = []

    def answer(path: str, question: bytes) -> tuple[int, bytes]:
        asked.append((path, question))
        return body(log.consistency(3, 6))

    async with meeting(house, answer) as (people, rogue, ada):
        rogue.box = box
        proof = await people.consistency(ada.caller(), FarConsistency(f"p1@{rogue.host}", 3, 6))
        older = read_checkpoint(log.consistency(0, 3).checkpoint, box.public)
        check_consistency(older, read_checkpoint(proof.checkpoint, box.public), proof.hashes)
        assert isinstance(proof, Consistency)
        # The other box does not learn about whom the member thinks.
        assert asked[0][0] == "/v1/directory/consistency" and b"p1" not in asked[0][1]


# Puzzles


async def test_this_box_solves_the_puzzle_for_what_is_missing(house: House) -> None:
    box = SigningKey(os.urandom(32))
    bob = Person("bob", box.public, devices=[Gadget(), Gadget()])
    phone, laptop = bob.devices
    puzzle = Puzzle(replace(house.config, **EASY), house.clock)
    given = {one.id: one.prekeys(1)[0] for one in bob.devices}
    questions: list[TakePrekeys] = []

    def answer(path: str, asked: bytes) -> tuple[int, bytes]:
        question = codec.read(asked, TakePrekeys)
        questions.append(question)
        if question.work is None:
            return body(
                Taken(
                    [TakenPrekey(phone.id, given[phone.id]), TakenPrekey(laptop.id, None)], puzzle.challenge()
                )
            )
        return body(Taken([TakenPrekey(laptop.id, given[laptop.id])], puzzle.challenge()))

    async with meeting(house, answer) as (people, rogue, ada):
        wanted = FarTake(f"bob@{rogue.host}", [phone.id, laptop.id])
        taken = await people.take(ada.caller(), wanted)
        assert [(one.device, one.prekey) for one in taken.prekeys] == list(given.items())
        assert [one.devices for one in questions] == [[phone.id, laptop.id], [laptop.id]]
        assert questions[1].work is not None
        await puzzle.check(questions[1].work)


@pytest.mark.parametrize(
    "hard",
    [
        WorkChallenge(bytes(32), 1 << 20, 1, 1, 600),
        WorkChallenge(bytes(32), 64, 100, 1, 600),
        WorkChallenge(bytes(32), 64, 1, 40, 600),
        WorkChallenge(bytes(4), 64, 1, 1, 600),
        WorkChallenge(bytes(32), 1, 1, 1, 600),
        WorkChallenge(bytes(32), 64, 0, 1, 600),
    ],
)
async def test_a_puzzle_beyond_measure_is_left_alone(house: House, hard: WorkChallenge) -> None:
    device = b"D" * 16
    answer = body(Taken([TakenPrekey(device, None)], hard))
    async with meeting(house, lambda *_: answer) as (people, rogue, ada):
        taken = await people.take(ada.caller(), FarTake(f"bob@{rogue.host}", [device]))
        assert taken.prekeys == [TakenPrekey(device, None)]
        assert len(rogue.asked) == 1


async def test_what_was_given_is_not_lost_with_a_later_answer(house: House) -> None:
    bob = Person("bob", SigningKey(os.urandom(32)).public)
    given = bob.devices[0].prekeys(1)[0]
    first = Taken(
        [TakenPrekey(bob.devices[0].id, given), TakenPrekey(b"L" * 16, None)],
        WorkChallenge(bytes(32), 64, 1, 1, 600),
    )
    answers = [body(first), refusal("busy")]
    async with meeting(house, lambda *_: answers.pop(0)) as (people, rogue, ada):
        taken = await people.take(ada.caller(), FarTake(f"bob@{rogue.host}", [bob.devices[0].id, b"L" * 16]))
        assert taken == first and answers == []


async def test_guessing_ends_after_a_while(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WORK_SECONDS", 0.0)
    device = b"D" * 16
    answer = body(Taken([TakenPrekey(device, None)], WorkChallenge(bytes(32), 64, 1, 12, 600)))
    async with meeting(house, lambda *_: answer) as (people, rogue, ada):
        await people.take(ada.caller(), FarTake(f"bob@{rogue.host}", [device]))
        assert len(rogue.asked) == 1
