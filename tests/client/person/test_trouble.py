"""What goes wrong: cuts anywhere, vaults set back, sessions out of step, logs that contradict themselves."""

from __future__ import annotations

import dataclasses
import os
import random
import shutil
from dataclasses import dataclass, field

import msgspec
import pytest
import trio

from appliance.client.entrance import Entrance
from appliance.client.person import Person, entering, records, seat
from appliance.errors import Refusal
from appliance.protocol import onion
from appliance.protocol.keys import SigningKey
from appliance.protocol.transparency import read_checkpoint
from appliance.service import events
from tests.boxes import Net, running
from tests.clients import PASSPHRASE, QUICK, befriend, coming_back, door, hear, joining, once, texts
from tests.services import refused


@dataclass
class Knife:
    """Cuts a client off at its n-th word to the box, before the word is sent or before the answer is read."""

    at: int
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    words: int = 0

    def entrance(self, way: Entrance) -> Entrance:
        async def connect():
            return Blade(await way.open(), self)

        return dataclasses.replace(way, open=connect)

    async def count(self) -> None:
        self.words += 1
        if self.words == self.at:
            self.scope.cancel()
            await trio.lowlevel.checkpoint()


class Blade(trio.abc.Stream):
    def __init__(self, stream, knife: Knife) -> None:
        self._stream = stream
        self._knife = knife

    async def send_all(self, data) -> None:
        await self._knife.count()
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes=None):
        # The box may well do what was asked: only its answer is not heard.
        await self._knife.count()
        return await self._stream.receive_some(max_bytes)

    async def aclose(self) -> None:
        await self._stream.aclose()


class Deaf(trio.abc.Stream):
    """A stream whose first answer is lost, though the box gave it."""

    def __init__(self, stream) -> None:
        self._stream = stream

    async def send_all(self, data) -> None:
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes=None):
        await self._stream.receive_some(max_bytes)
        raise trio.BrokenResourceError

    async def aclose(self) -> None:
        await self._stream.aclose()


async def test_a_backup_code_whose_answer_was_lost_lets_in_all_the_same(tmp_path):
    async with running(Net(), tmp_path / "box", registration="open") as box:
        async with joining(box, "ada") as ada:
            (code, *_) = await entering.new_codes(ada._core.member, ada._core.entered, PASSPHRASE)
        way, ways = door(box), 0

        async def connect():
            nonlocal ways
            ways += 1
            stream = await way.open()
            return Deaf(stream) if ways <= 2 else stream

        deaf = dataclasses.replace(way, open=connect)
        async with Person.sign_in_by_code(deaf, "ada", code, options=QUICK) as ada:
            assert ways > 2 and ada.address.startswith("ada@")
        with refused("wrong_sign_in"):
            async with Person.sign_in_by_code(door(box), "ada", code, options=QUICK):
                pass


@pytest.mark.parametrize("seed", range(3))
async def test_a_client_that_is_cut_off_anywhere_loses_and_doubles_nothing(tmp_path, seed):
    dice = random.Random(seed)
    profile = tmp_path / "ada"
    async with running(Net(), tmp_path / "box", registration="open") as box, joining(box, "bob") as bob:
        async with joining(box, "ada", profile=profile) as ada:
            await befriend(ada, bob)
            address = ada.address
        said: list[str] = []
        for turn in range(12):
            knife = Knife(dice.randint(2, 60))
            said.append(f"to ada {turn}")
            await bob.send(address, said[-1])
            with knife.scope:
                async with Person.open(profile, knife.entrance(door(box)), options=QUICK) as ada:
                    await ada.send(bob.address, f"from ada {turn}")
                    await ada.settled()
                    await ada.mark_read(bob.address)
        async with Person.open(profile, options=QUICK) as ada:
            await ada.send(bob.address, "the end")
            await ada.settled()

            async def told():
                return "the end" in await texts(bob, address) and said[-1] in await texts(ada, bob.address)

            await once(ada, told)
            here, there = await texts(ada, bob.address), await texts(bob, address)
            # What stands in one's own history has arrived, whatever happened in between; nothing came twice.
            assert sorted(here) == sorted(there)
            assert len(set(here)) == len(here)
            assert [text for text in here if text.startswith("to ada")] == said


async def test_two_clients_of_one_account_are_in_step(tmp_path):
    async with (
        running(Net(), tmp_path / "box", registration="open") as box,
        joining(box, "bob") as bob,
        joining(box, "ada") as ada,
    ):
        await befriend(ada, bob)
        async with coming_back(box, "ada") as other:
            assert other.device != ada.device
            assert await texts(other, bob.address) == ["may I?"]
            sent = await other.send(bob.address, "from the other")
            (heard,) = await hear(bob)
            assert heard.text == "from the other"

            async def here():
                return await texts(ada, bob.address) == ["may I?", "from the other"]

            await once(ada, here)
            # The answer reaches both, once.
            await heard.reply("to both")
            for me in (ada, other):
                await once(me, lambda me=me: _has(me, bob.address, "to both"))
            await sent.edit("from the second")
            await once(ada, lambda: _has(ada, bob.address, "from the second"))
            await ada.mark_read(bob.address)
            await once(other, lambda: other.contacts()[0].unread == 0)
            await ada.settled()
            words = ["may I?", "from the second", "to both"]
            for me in (ada, other, bob):
                them = ada.address if me is bob else bob.address
                await once(me, lambda me=me, them=them: _says(me, them, words))


async def _says(me: Person, address: str, words: list[str]) -> bool:
    return await texts(me, address) == words


async def _has(me: Person, address: str, text: str) -> bool:
    return text in await texts(me, address)


async def test_a_seat_that_was_given_up_is_taken_again(tmp_path):
    async with running(Net(), tmp_path / "box", registration="open") as box:
        async with joining(box, "ada") as ada:
            device = ada.device
        async with coming_back(box, "ada") as ada:
            assert ada.device == device
            # Nobody else sits down beside it as long as it answers a knock.
            async with coming_back(box, "ada") as other:
                assert other.device != device
                await ada.appearance.change(display="Ada")


async def test_nobody_knocks_where_nobody_listens(tmp_path, monkeypatch):
    monkeypatch.setattr(seat, "SURE", 0)
    monkeypatch.setattr(events.EventBook, "expect", lambda *_: None)
    slow = {"options": dataclasses.replace(QUICK, patience=300)}
    async with running(Net(), tmp_path / "box", registration="open") as box:
        async with joining(box, "ada") as ada:
            device = ada.device
            # It ends without a word, as one that is killed.
            ada._core.ledger.leave = trio.lowlevel.checkpoint  # type: ignore[method-assign]
        with trio.fail_after(20):
            async with coming_back(box, "ada", **slow) as ada:
                assert ada.device == device


async def test_a_client_whose_seat_was_taken_ends_and_finds_another(tmp_path):
    profile = tmp_path / "ada"
    async with running(Net(), tmp_path / "box", registration="open") as box:
        with trio.fail_after(30), refused("in_use"):
            async with joining(box, "ada", profile=profile) as ada:
                # It is too slow to answer the knock.
                ada._core.ledger.touch = trio.lowlevel.checkpoint  # type: ignore[method-assign]
                taken = ada.device
                async with coming_back(box, "ada") as other:
                    assert other.device == taken
                    await trio.sleep_forever()
        async with Person.open(profile, options=QUICK) as ada:
            await ada.appearance.change(display="Ada")
            assert ada.device == taken


async def test_a_client_whose_vault_was_set_back_becomes_a_new_device(tmp_path):
    net, data, profile = Net(), tmp_path / "one", tmp_path / "ada"
    async with (
        running(net, tmp_path / "other", registration="open") as there,
        joining(there, "bob") as bob,
    ):
        async with (
            running(net, data, registration="open") as box,
            joining(box, "ada", profile=profile) as ada,
        ):
            await befriend(ada, bob)
            device, address = ada.device, ada.address
        shutil.copytree(data, tmp_path / "backup")
        async with running(net, data) as box, Person.open(profile, door(box), options=QUICK) as ada:
            assert ada.device == device
            await ada.send(bob.address, "before")
            assert (await hear(bob))[0].text == "before"
        shutil.rmtree(data)
        (tmp_path / "backup").rename(data)
        # The sign-in has ended with what was set back; where this client sat is not forgotten.
        async with running(net, data) as box, coming_back(box, "ada", profile=profile) as ada:
            assert ada.device != device
            await ada.send(bob.address, "after")
            (message,) = await hear(bob)
            assert message.text == "after" and message.address == address
            await message.reply("welcome back")
            assert (await hear(ada))[0].text == "welcome back"


async def test_a_remembered_seat_is_given_up_when_its_vault_is_older(tmp_path):
    profile, data = tmp_path / "ada", tmp_path / "one"
    net = Net()
    async with running(net, data, registration="open") as box, joining(box, "ada", profile=profile) as ada:
        device = ada.device
    shutil.copytree(data, tmp_path / "backup")
    async with running(net, data) as box, Person.open(profile, door(box), options=QUICK) as ada:
        assert ada.device == device
        await ada.appearance.change(display="Ada")
    shutil.rmtree(data)
    (tmp_path / "backup").rename(data)
    async with running(net, data) as box, coming_back(box, "ada", profile=profile) as ada:
        assert ada.device != device
        entry = await ada._core.member.published()
        assert entry.entry is not None and bytes.fromhex(device) not in entry.entry


async def test_sessions_that_are_out_of_step_heal(tmp_path):
    async with (
        running(Net(), tmp_path / "box", registration="open") as box,
        joining(box, "ada") as ada,
        joining(box, "bob") as bob,
    ):
        await befriend(ada, bob)
        await spoil(bob, ada)
        await ada.send(bob.address, "can you read this?")
        (message,) = await hear(bob)
        assert message.text == "can you read this?"
        await message.reply("yes")
        assert (await hear(ada))[0].text == "yes"
        assert await texts(bob, ada.address) == ["may I?", "can you read this?", "yes"]
        assert not [one for one in await bob.history(ada.address) if one.unreadable]


async def spoil(me: Person, other: Person) -> None:
    """Change what a client knows of its session with the other's device, as a fault of the disk would."""
    core, device = me._core, bytes.fromhex(other.device)

    async def step(batch):
        record = await core.ledger.session(batch, device)
        sessions = [
            msgspec.structs.replace(
                one,
                ratchet=msgspec.structs.replace(
                    one.ratchet, receive_header=os.urandom(32), next_receive_header=os.urandom(32)
                ),
            )
            for one in record.peer.sessions
        ]
        peer = msgspec.structs.replace(record.peer, sessions=sessions)
        batch.set(records.session(core.seat.device, device), msgspec.structs.replace(record, peer=peer))

    await core.ledger.run(step)


async def test_a_log_that_contradicts_what_it_showed_is_refused(tmp_path):
    async with (
        running(Net(), tmp_path / "box", registration="open") as box,
        joining(box, "ada") as ada,
        joining(box, "bob") as bob,
        joining(box, "eve") as eve,
    ):
        await ada.add(bob.address)
        host = bob.address.partition("@")[2]
        logs = ada._core.people.logs
        head = logs._heads[host]
        await ada._core.ledger.flush()
        await remember(ada, records.Logs(1, {host: {**msgspec.structs.asdict(head), "root": os.urandom(32)}}))
        with refused("bad_log"):
            await ada.add(eve.address)
        assert [one.address for one in ada.contacts()] == [bob.address]
        # A box that shows a smaller log than before hides something, or was restored from an old copy.
        before = msgspec.structs.replace(head, size=head.size + 100)
        logs._heads[host] = before
        with pytest.raises(Refusal, match="bad_log") as caught:
            await ada.add(eve.address)
        assert f"had {before.size}" in caught.value.details["reason"]
        assert f"trust-box {host}" in caught.value.details["reason"]
        # Until a person goes on with it, nothing changes; then both stay as evidence.
        with refused("bad_log"):
            await ada.add(eve.address)
        with refused("wrong_state"):
            await ada.trust_box(onion.address(SigningKey(bytes(32)).public))
        await ada.trust_box(host)
        assert (await ada.add(eve.address)).address == eve.address
        kept = await ada._core.vault.get(records.LOGS, records.Logs)
        last = kept.contradictions[-1]
        assert (last.host, last.before["size"], last.accepted) == (host, before.size, True)
        assert read_checkpoint(last.after, onion.public_key(host)).size < before.size
        assert len({(one.host, one.after) for one in kept.contradictions}) == len(kept.contradictions)
        with refused("wrong_state"):
            await ada.trust_box(host)
        # A device of the account that remembers the tree of before goes on with the others.
        logs._heads[host] = before
        await ada.add(bob.address)


async def remember(me: Person, logs: records.Logs) -> None:
    async def step(batch):
        batch.change(records.LOGS, records.Logs, lambda _: logs)

    await me._core.ledger.run(step)


async def test_somebody_else_under_a_known_name_gets_nothing(tmp_path):
    async with (
        running(Net(), tmp_path / "box", registration="open") as box,
        joining(box, "ada") as ada,
    ):
        async with joining(box, "bob") as bob:
            await befriend(ada, bob)
            address = bob.address
        members = await box.desk.http.call("GET", "/v1/members", dict)
        gone = next(one["account"] for one in members["members"] if one["name"] == "bob")
        await box.desk.http.exchange("DELETE", f"/v1/members/{gone}")
        async with joining(box, "bob") as thief:
            assert thief.address == address
            await ada._core.people.refresh(ada._core.chats.at(address).id)
            assert ada.contacts()[0].key_changed
            with refused("wrong_state"):
                await ada.send(address, "secret")
            await ada.accept_key(address)
            await ada.send(address, "hello, new one")
            message = await anext(thief.messages(strangers=True))
            assert message.text == "hello, new one"
