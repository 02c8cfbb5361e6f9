"""People of two whole boxes find each other: publish, look up over a stand-in for Tor, take prekeys."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import trio

from appliance.client.desk import Desk
from appliance.client.entrance import loopback, onion
from appliance.client.http import Http
from appliance.errors import Refusal
from appliance.protocol import codec
from appliance.protocol.account import BindDevice, Session
from appliance.protocol.codec import CBOR
from appliance.protocol.directory import (
    Checkpoint,
    Consistency,
    ConsistencyQuery,
    FarConsistency,
    FarLookUp,
    FarTake,
    Found,
    Leaves,
    LookUp,
    Publish,
    Published,
    Taken,
    TakePrekeys,
)
from appliance.protocol.keys import SigningKey
from appliance.protocol.onion import public_key
from appliance.protocol.prekeys import check_one_time, sign_bundle
from appliance.protocol.transparency import check_consistency, check_found, read_checkpoint
from appliance.protocol.vault import Change, Changed, Put, Read, Records
from tests.boxes import PASSPHRASE, Net, Running, running
from tests.persons import Gadget, Person
from tests.rogues import Ledger, Rogue
from tests.services import refused


@dataclass
class Visitor:
    """A person with a sign-in at their box."""

    http: Http
    person: Person

    async def ask(self, kind, path, value=None):
        method = "GET" if value is None else "POST"
        return await self.http.call(method, path, kind, value, media=CBOR)


async def settle_in(box: Running) -> Visitor:
    """The owner of a fresh box gets a device and publishes everything."""
    http = box.desk.http
    session = await http.call("GET", "/v1/session", Session, media=CBOR)
    person = Person(session.name, public_key(session.onion), session.account)
    device = BindDevice(person.devices[0].id)
    await http.call("POST", "/v1/session/device", dict, device, media=CBOR)
    visitor = Visitor(http, person)
    published = await visitor.ask(Published, "/v1/prekeys", person.publication(10))
    assert published.one_time == 10
    return visitor


async def test_one_box_looks_up_a_member_of_another(tmp_path):
    net = Net()
    async with running(net, tmp_path / "ada") as one, running(net, tmp_path / "bob") as other:
        ada, bob = await settle_in(one), await settle_in(other)
        address = f"{bob.person.name}@{other.ready.onion}"
        found = await ada.ask(Found, "/v1/people", FarLookUp(address))
        who = (bob.person.name, bob.person.box, bob.person.identity.public)
        entry, bundles, head = check_found(found, *who, None)
        assert [one.device for one in bundles] == [bob.person.devices[0].id] and head.size == 1

        taken = await ada.ask(Taken, "/v1/people/prekeys", FarTake(address, [bob.person.devices[0].id]))
        assert taken.prekeys[0].prekey is not None
        check_one_time(taken.prekeys[0].prekey, entry.devices[0])
        assert (await bob.ask(Published, "/v1/prekeys")).one_time == 9

        bob.person.devices.append(Gadget())
        await bob.ask(Published, "/v1/prekeys", Publish(bob.person.entry()))
        later = await ada.ask(Found, "/v1/people", FarLookUp(address, head.size))
        assert check_found(later, *who, head, entry.revision)[0].revision == 2
        proof = await ada.ask(Consistency, "/v1/people/consistency", FarConsistency(address, 1))
        check_consistency(head, read_checkpoint(proof.checkpoint, bob.person.box), proof.hashes)

        home = await bob.ask(Found, "/v1/people", FarLookUp(address))
        assert home.entry == later.entry
        with refused("no_account"):
            await ada.ask(Found, "/v1/people", FarLookUp(f"nobody@{other.ready.onion}"))
    async with running(net, tmp_path / "ada") as one:
        await one.desk.sign_in(PASSPHRASE)
        again = Visitor(one.desk.http, ada.person)
        with refused("unreachable"):
            await again.ask(Found, "/v1/people", FarLookUp(address))
        # The directory outlives the run.
        assert (await again.ask(Published, "/v1/prekeys")).entry is not None


@asynccontextmanager
async def lying(net: Net, path: Path, answer) -> AsyncIterator[Rogue]:
    """A box of the net that answers what the test says."""
    with socket.socket(socket.AF_UNIX) as plain:
        plain.bind(str(path))
        plain.listen()
        listener = trio.SocketListener(trio.socket.from_stdlib_socket(plain))
        async with trio.open_nursery() as nursery:
            rogue = Rogue(nursery, answer)

            async def serve(stream: trio.SocketStream) -> None:
                while await stream.receive_some(1) != b"\n":  # the line that tells of the circuit
                    pass
                await rogue.serve(stream)

            await nursery.start(trio.serve_listeners, serve, [listener])
            net.sockets[rogue.host] = path
            yield rogue
            nursery.cancel_scope.cancel()


async def test_a_client_behind_an_honest_box_sees_that_another_box_lies(tmp_path):
    net = Net()
    said: list[Found] = []
    async with (
        running(net, tmp_path / "ada") as one,
        lying(net, tmp_path / "rogue.sock", lambda *_: (200, codec.encode(said[-1]))) as rogue,
    ):
        ada = await settle_in(one)
        bob = Person("bob", rogue.box.public)
        log = Ledger(rogue.box, [bob.entry(), bob.entry()])
        fork = Ledger(rogue.box, [log.entries[0], Person("eve", bob.box).entry(), log.entries[1]])

        async def ask(answer: Found, size: int = 0) -> Found:
            said.append(answer)
            found = await ada.ask(Found, "/v1/people", FarLookUp(f"bob@{rogue.host}", size))
            assert found == answer, "passed on as it came"
            return found

        entry, _, head = check_found(await ask(log.found(1)), "bob", bob.box, None, None)
        known = ("bob", bob.box, entry.identity, head, entry.revision)
        with refused("old_entry"):
            check_found(await ask(log.found(0), 2), *known)
        with refused("bad_log"):
            check_found(await ask(fork.found(2, 2), 2), *known)
        forged = sign_bundle(SigningKey(os.urandom(32)), bob.plain_bundle())
        assert check_found(await ask(log.found(1, 2, [forged]), 2), *known)[1] == []
        assert len(check_found(await ask(log.found(1, 2, [bob.bundle()]), 2), *known)[1]) == 1


async def test_a_stranger_reads_the_directory_and_nothing_else(tmp_path):
    net = Net()
    async with running(net, tmp_path / "box") as box:
        ada = await settle_in(box)
        name, device = ada.person.name, ada.person.devices[0].id
        async with Http(onion(net.dial, box.ready.onion)) as http:
            stranger = Visitor(http, ada.person)
            found = await stranger.ask(Found, "/v1/directory", LookUp(name))
            head = check_found(found, name, ada.person.box, ada.person.identity.public, None)[2]
            note = (await stranger.ask(Checkpoint, "/v1/directory/checkpoint")).note
            assert read_checkpoint(note, ada.person.box) == head
            leaves = await stranger.ask(Leaves, "/v1/directory/leaves?start=0")
            assert leaves.entries == [found.entry]
            proof = await stranger.ask(Consistency, "/v1/directory/consistency", ConsistencyQuery(1))
            assert proof.hashes == []
            taken = await stranger.ask(Taken, "/v1/directory/prekeys", TakePrekeys(name, [device]))
            assert taken.prekeys[0].prekey is not None
            for path, value in (
                ("/v1/people", FarLookUp(f"{name}@{box.ready.onion}")),
                ("/v1/people/prekeys", FarTake(f"{name}@{box.ready.onion}", [device])),
                ("/v1/prekeys", Publish()),
                ("/v1/vault", Change()),
                ("/v1/vault/read", Read([])),
            ):
                with refused("sign_in"):
                    await stranger.ask(dict, path, value)
            for path in ("/v1/vault", "/v1/prekeys"):
                with refused("sign_in"):
                    await stranger.ask(dict, path)


async def test_a_device_that_is_removed_is_signed_out_and_its_prekeys_are_gone(tmp_path):
    net = Net()
    async with running(net, tmp_path / "box") as box:
        ada = await settle_in(box)
        phone = Gadget()
        ada.person.devices.append(phone)
        await ada.ask(Published, "/v1/prekeys", Publish(ada.person.entry()))
        async with Desk(loopback(box.ready.url.removeprefix("http://").rstrip("/"))) as desk:
            await desk.sign_in(PASSPHRASE, ada.person.name)
            lost = Visitor(desk.http, ada.person)
            await desk.http.call("POST", "/v1/session/device", dict, BindDevice(phone.id), media=CBOR)
            await lost.ask(Published, "/v1/prekeys", Publish(None, ada.person.bundle(1), phone.prekeys(4)))
            ada.person.devices.pop()
            await ada.ask(Published, "/v1/prekeys", Publish(ada.person.entry()))
            with refused("session_ended"):
                await lost.ask(Records, "/v1/vault")
        found = await ada.ask(Found, "/v1/directory", LookUp(ada.person.name))
        identity = ada.person.identity.public
        _, bundles, _ = check_found(found, ada.person.name, ada.person.box, identity, None, 3)
        assert [one.device for one in bundles] == [ada.person.devices[0].id]
        taken = await ada.ask(Taken, "/v1/directory/prekeys", TakePrekeys(ada.person.name, [phone.id]))
        assert taken.prekeys[0].prekey is None
        assert (await ada.ask(Published, "/v1/prekeys")).one_time == 10


async def test_two_devices_share_a_vault_over_http(tmp_path):
    net = Net()
    async with running(net, tmp_path / "box") as box:
        ada = await settle_in(box)
        names = [os.urandom(16) for _ in range(3)]
        change = Change(put=[Put(name, 0, b"sealed " + name) for name in names])
        assert (await ada.ask(Changed, "/v1/vault", change)).revision == 1
        async with Http(loopback(box.ready.url.removeprefix("http://").rstrip("/"))) as http:
            http.cookies.update(ada.http.cookies)
            second = Visitor(http, ada.person)
            whole = await second.ask(Records, "/v1/vault?after=0&began=0")
            assert {one.id: one.data for one in whole.records} == {n: b"sealed " + n for n in names}
            await second.ask(Changed, "/v1/vault", Change(put=[Put(names[0], 1, b"newer")]))
            try:
                await ada.ask(Changed, "/v1/vault", Change(put=[Put(names[0], 1, b"older")]))
            except Refusal as refusal:
                assert (refusal.code, refusal.details) == ("vault_conflict", {"ids": [names[0]]})
            else:
                raise AssertionError("two writers of one version")
            news = await ada.ask(Records, "/v1/vault?after=1")
            assert [(one.id, one.version, one.data) for one in news.records] == [(names[0], 2, b"newer")]
            some = await ada.ask(Records, "/v1/vault/read", Read(names[:2]))
            assert len(some.records) == 2
            with refused("vault_old"):
                await ada.ask(Records, "/v1/vault?after=99")
