"""The client's part done by the box: what is bounded, what is kept, and what never is."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest
import trio
import trio.testing

from appliance.protocol.account import TotpConfirm
from appliance.service import plain as module
from appliance.service import totp
from appliance.service.guesses import FREE, Place
from appliance.service.plain import MAX_WAITING, Halfway, Wish, read_name
from tests.households import HOME, Home, home
from tests.services import refused

WORDS = "copper finch nine harbour"
FAR = Place(home=False, circuit=1)


async def claim(h: Home, name: str = "ann") -> tuple[Wish, list[str]]:
    wish = Wish(os.urandom(16), name, WORDS, "here", h.people.door.claim_token or "")
    _, codes = await h.people.plain.register(wish, HOME)
    return wish, codes


async def with_factor(h: Home) -> bytes:
    await claim(h)
    issued = await h.people.plain.sign_in("ann", WORDS, "here", HOME)
    assert not isinstance(issued, Halfway)
    caller = h.caller(issued)
    made = await h.people.plain.begin_totp(caller, WORDS, HOME)
    digits = totp.code(made.secret, int(h.clock() // totp.STEP_SECONDS))
    await h.people.accounts.confirm_totp(caller, TotpConfirm(digits), HOME)
    h.clock.now += totp.STEP_SECONDS
    return made.secret


async def test_a_second_factor_is_waited_for_a_while_and_by_few(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_HALFWAY", 2)
    async with home(tmp_path) as h:
        secret = await with_factor(h)

        def digits() -> str:
            return totp.code(secret, int(h.clock() // totp.STEP_SECONDS))

        words = []
        for _ in range(3):
            found = await h.people.plain.sign_in("ann", WORDS, "here", HOME)
            assert isinstance(found, Halfway)
            assert found.word not in repr(found)
            words.append(found.word)
        with refused("session_ended"):
            await h.people.plain.finish(words[0], digits(), HOME)  # the oldest made room
        with refused("wrong_sign_in"):
            await h.people.plain.finish(words[1], "000000", HOME)
        await h.people.plain.finish(words[1], digits(), HOME)
        with refused("session_ended"):
            await h.people.plain.finish(words[1], digits(), HOME)
        h.clock.now += module.HALFWAY_SECONDS
        with refused("session_ended"):
            await h.people.plain.finish(words[2], digits(), HOME)


async def test_wrong_digits_are_slowed_like_wrong_passphrases(tmp_path: Path) -> None:
    async with home(tmp_path) as h:
        await with_factor(h)
        found = await h.people.plain.sign_in("ann", WORDS, "here", HOME)
        assert isinstance(found, Halfway)
        for _ in range(FREE):
            with refused("wrong_sign_in"):
                await h.people.plain.finish(found.word, "000000", HOME)
        with refused("too_many"):
            await h.people.plain.finish(found.word, "000000", HOME)


async def test_whoever_must_pause_costs_the_box_no_stretching(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stretched: list[str] = []
    real = module.stretch

    def count(passphrase: str, kdf: object) -> object:
        stretched.append(passphrase)
        return real(passphrase, kdf)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "stretch", count)
    async with home(tmp_path) as h:
        await claim(h)
        stretched.clear()
        for _ in range(FREE):
            with refused("wrong_sign_in"):
                await h.people.plain.sign_in("ann", "not this one", "here", FAR)
        with refused("too_many"):
            await h.people.plain.sign_in("ann", WORDS, "here", FAR)
        with refused("too_many"):
            await h.people.plain.by_code("ann", "0" * 26, WORDS, "here", FAR)
        other = Wish(os.urandom(16), "bob", WORDS, "here", "no invite")
        with refused("too_many"):
            await h.people.plain.register(other, FAR)
        with refused("invite"):
            await h.people.plain.register(other, HOME)
        assert len(stretched) == FREE


async def test_passphrases_wait_in_a_short_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with home(tmp_path) as h:
        await claim(h)
        plain = h.people.plain
        async with trio.open_nursery() as nursery, plain._stretching:
            for number in range(MAX_WAITING):
                nursery.start_soon(plain._keys, f"name{number}", WORDS, HOME)
            await trio.testing.wait_all_tasks_blocked()
            with refused("busy"):
                await plain.sign_in("ann", WORDS, "here", HOME)
        assert not isinstance(await plain.sign_in("ann", WORDS, "here", HOME), Halfway)


async def test_a_used_code_changes_nothing_and_a_short_passphrase_uses_none_up(tmp_path: Path) -> None:
    async with home(tmp_path) as h:
        _, codes = await claim(h)
        plain = h.people.plain
        with refused("weak_passphrase"):
            await plain.by_code("ann", codes[0], "short", "here", HOME)
        with refused("malformed"):
            await plain.by_code("ann", "no code", WORDS, "here", HOME)
        await plain.by_code("ann", codes[0], "another four words", "here", HOME)
        with refused("wrong_sign_in"):
            await plain.by_code("ann", codes[0], WORDS, "here", HOME)
        with refused("wrong_sign_in"):
            await plain.sign_in("ann", WORDS, "here", HOME)
        await plain.sign_in("ann", "another four words", "here", HOME)


async def test_forms_whose_answer_was_lost_are_sent_once_more(tmp_path: Path) -> None:
    async with home(tmp_path) as h:
        _, codes = await claim(h)
        plain = h.people.plain
        for _ in range(2):
            issued = await plain.by_code("ann", codes[0], "another four words", "here", HOME)
            caller = h.caller(issued)
        for _ in range(2):
            await plain.change_passphrase(caller, "another four words", "and still four more", HOME)
        with refused("wrong_passphrase"):
            await plain.change_passphrase(caller, "another four words", "a third one of four", HOME)
        assert len(await plain.new_codes(caller, "and still four more", HOME)) == 8


async def test_a_form_belongs_to_what_it_was_drawn_for(tmp_path: Path) -> None:
    async with home(tmp_path) as h:
        plain = h.people.plain
        token = plain.token(b"one")
        assert plain.is_token(token, b"one")
        for given, bound in ((token, b"other"), ("", b"one"), ("\udcff", b"one"), (token + "A", b"one")):
            assert not plain.is_token(given, bound)
        assert len(base64.urlsafe_b64decode(token + "==")) == 16


@pytest.mark.parametrize(
    ("typed", "name"),
    [("Ann", "ann"), (" ann@abc.onion ", "ann"), ("a.b-c_9", "a.b-c_9"), ("x" * 32, "x" * 32)],
)
def test_a_name_is_read_as_people_type_it(typed: str, name: str) -> None:
    assert read_name(typed) == name


@pytest.mark.parametrize("typed", ["", "@", "a b", "-a", "a.", "é", "x" * 33, "a\nb", "ann\0"])
def test_what_cannot_be_a_name_is_refused(typed: str) -> None:
    with refused("malformed"):
        read_name(typed)


def test_no_value_says_in_a_log_what_was_typed() -> None:
    assert WORDS not in repr(Wish(bytes(16), "ann", WORDS, "here", "invite"))
