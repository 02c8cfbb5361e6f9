"""Refresh tokens: replaced at each use, forgiving a lost answer, ending at a theft."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.protocol.account import ChangeMember
from appliance.protocol.codec import from_text, to_text
from appliance.service.caller import OPERATOR
from appliance.service.sign_in import GRACE_SECONDS, REFRESH_SECONDS, Issued, Started
from appliance.service.tokens import ACCESS_SECONDS
from appliance.store import accounts
from appliance.store.transaction import Transaction
from tests.households import HOME, home
from tests.services import Time, refused


async def test_a_refresh_token_is_replaced_at_each_use(tmp_path: Path) -> None:
    async with home(tmp_path) as h:
        _, issued = await h.claim()
        seen = {issued.refresh}
        for _ in range(5):
            h.clock.now += ACCESS_SECONDS
            assert not h.live(issued)
            after = await h.people.sign_in.refresh(issued.refresh)
            assert after.session == issued.session and h.live(after)
            issued = after
            seen.add(issued.refresh)
        assert len(seen) == 6


async def test_a_stolen_token_ends_the_sign_in_of_thief_and_owner(tmp_path: Path) -> None:
    async with home(tmp_path) as h:
        ann, first = await h.claim()
        other = await h.people.sign_in.sign_in(ann.sign_in(), HOME)
        second = await h.people.sign_in.refresh(first.refresh)
        assert h.live(second), "its owner uses the new one"
        with refused("session_ended"):
            await h.people.sign_in.refresh(first.refresh)
        assert not h.live(second) and h.live(other)
        assert h.ended == [first.session.session]
        with refused("session_ended"):
            await h.people.sign_in.refresh(second.refresh)


async def test_an_older_token_ends_the_sign_in_even_if_the_newest_was_never_used(tmp_path: Path) -> None:
    async with home(tmp_path) as h:
        _, first = await h.claim()
        second = await h.people.sign_in.refresh(first.refresh)
        third = await h.people.sign_in.refresh(second.refresh)
        with refused("session_ended"):
            await h.people.sign_in.refresh(first.refresh)
        with refused("session_ended"):
            await h.people.sign_in.refresh(third.refresh)


@pytest.mark.parametrize(("seconds", "good"), [(0, True), (GRACE_SECONDS, True), (GRACE_SECONDS + 1, False)])
async def test_a_lost_answer_does_not_sign_out(tmp_path: Path, seconds: int, good: bool) -> None:
    async with home(tmp_path) as h:
        _, first = await h.claim()
        lost = await h.people.sign_in.refresh(first.refresh)
        h.clock.now += seconds
        if not good:
            with refused("session_ended"):
                await h.people.sign_in.refresh(first.refresh)
            return
        again = await h.people.sign_in.refresh(first.refresh)
        assert again.refresh == lost.refresh, "whichever answer comes last, the token is good"
        await h.people.sign_in.refresh(again.refresh)


async def test_a_lost_answer_does_not_sign_out_after_the_power_was_cut(tmp_path: Path) -> None:
    clock = Time()
    async with home(tmp_path, clock) as h:
        _, first = await h.claim()
        lost = await h.people.sign_in.refresh(first.refresh)
    async with home(tmp_path, clock) as h:
        assert (await h.people.sign_in.refresh(first.refresh)).refresh == lost.refresh


async def test_tabs_that_refresh_at_once_all_stay_signed_in(tmp_path: Path) -> None:
    async with home(tmp_path) as h:
        _, first = await h.claim()
        got: list[Issued] = []

        async def tab() -> None:
            got.append(await h.people.sign_in.refresh(first.refresh))

        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(tab)
        assert len({issued.refresh for issued in got}) == 1 and all(h.live(issued) for issued in got)
        await h.people.sign_in.refresh(got[0].refresh)


async def test_what_changed_since_the_commit_of_a_sign_in_holds_for_its_tokens(tmp_path: Path) -> None:
    # Who waits for the same commit goes on in any order: here the one that came first is told last.
    async with home(tmp_path) as h:
        await h.claim()
        bob, _ = await h.join()
        sign_in, members = h.people.sign_in, h.people.members

        async def written() -> Started:
            def job(txn: Transaction) -> Started:
                account = accounts.require(txn, h.house.ring.machine, bob.account)
                return sign_in.start(txn, account, "late")

            return await h.house.store.write(job)

        late = await written()
        await members.change(OPERATOR, bob.account, ChangeMember(role="agent"))
        caller = h.caller(sign_in.issue(late))
        assert caller.role == "agent"
        late = await written()
        await sign_in.end(caller, late.row.session)
        with refused("session_ended"):
            sign_in.issue(late)
        late = await written()
        await members.change(OPERATOR, bob.account, ChangeMember(suspended=True))
        with refused("session_ended"):
            sign_in.issue(late)


async def test_a_sign_in_that_is_not_used_runs_out(tmp_path: Path) -> None:
    async with home(tmp_path) as h:
        _, first = await h.claim()
        h.clock.now += REFRESH_SECONDS - 1
        second = await h.people.sign_in.refresh(first.refresh)
        assert len(h.people.sign_in.page(h.caller(second)).sessions) == 1
        h.clock.now += REFRESH_SECONDS
        with refused("session_ended"):
            await h.people.sign_in.refresh(second.refresh)


async def test_what_is_no_refresh_token_is_refused(tmp_path: Path) -> None:
    async with home(tmp_path) as h:
        _, issued = await h.claim()
        unknown = to_text(os.urandom(32))
        for token in (
            "",
            "x",
            "ü",
            "\udcff",
            issued.refresh[:-4],
            issued.refresh + "AAAA",
            unknown,
            issued.access,
        ):
            with refused("session_ended"):
                await h.people.sign_in.refresh(token)
        assert h.live(issued) and not h.ended
        guessed = to_text(from_text(issued.refresh)[:16] + os.urandom(16))
        with refused("session_ended"):
            await h.people.sign_in.refresh(guessed)


async def test_only_hashes_of_tokens_are_kept(tmp_path: Path) -> None:
    clock = Time()
    async with home(tmp_path, clock) as h:
        _, issued = await h.claim()
    data = (tmp_path / "data" / "store.mdb").read_bytes()
    assert from_text(issued.refresh)[16:] not in data and issued.access.encode() not in data
    async with home(tmp_path, clock) as h:
        assert not h.live(issued), "access tokens do not outlive the box's stop"
        assert h.live(await h.people.sign_in.refresh(issued.refresh))


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, GRACE_SECONDS)), max_size=8),
    st.none() | st.integers(0, 7),
)
def test_no_lost_answer_signs_out_and_no_thief_stays_unnoticed(
    steps: list[tuple[bool, int]], stolen_at: int | None
) -> None:
    """An owner whose answers get lost at times; perhaps a thief shows a copied token at the end."""

    async def main(folder: Path) -> None:
        async with home(folder) as h:
            _, issued = await h.claim()
            stolen: str | None = None
            for number, (lost, seconds) in enumerate(steps):
                if number == stolen_at:
                    stolen = issued.refresh
                h.clock.now += ACCESS_SECONDS
                after = await h.people.sign_in.refresh(issued.refresh)
                if lost:
                    h.clock.now += seconds
                    after = await h.people.sign_in.refresh(issued.refresh)
                assert h.live(after) and after.session == issued.session
                issued = after
            if stolen is not None:
                with refused("session_ended"):
                    await h.people.sign_in.refresh(stolen)
            assert h.live(issued) is (stolen is None)

    with TemporaryDirectory() as folder:
        trio.run(main, Path(folder))
