"""Readers: keys and the book, and a closed onion that lets in and shuts out at once."""

from __future__ import annotations

import base64
import time
from contextlib import suppress
from typing import Any

import pytest
import trio
from nacl.public import PrivateKey

from appliance.errors import Refusal
from appliance.protocol.desk import NewReader, NewReaderKey
from tor import transport
from tor.readers import Access, base64_key, make_pair, read_key

ADDRESS = "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion"


class Shelf:
    """A book in memory."""

    def __init__(self) -> None:
        self.readers: list[tuple[str, str]] = []
        self.keys: list[tuple[str, str]] = []

    def load_readers(self) -> list[tuple[str, str]]:
        return list(self.readers)

    async def save_readers(self, rows: list[tuple[str, str]]) -> None:
        await trio.lowlevel.checkpoint()
        self.readers = rows

    def load_keys(self) -> list[tuple[str, str]]:
        return list(self.keys)

    async def save_keys(self, rows: list[tuple[str, str]]) -> None:
        await trio.lowlevel.checkpoint()
        self.keys = rows


@pytest.fixture
def calls() -> list[tuple[Any, ...]]:
    return []


@pytest.fixture
def access(calls: list[tuple[Any, ...]]) -> Access:
    async def apply(cut: bool) -> None:
        await trio.lowlevel.checkpoint()
        calls.append(("apply", cut))

    async def grant(address: str, key: str) -> None:
        await trio.lowlevel.checkpoint()
        calls.append(("grant", address, key))

    async def drop(address: str) -> None:
        await trio.lowlevel.checkpoint()
        calls.append(("drop", address))

    return Access(Shelf(), apply=apply, grant=grant, drop=drop)


def test_a_pair_fits_together() -> None:
    private, public = make_pair()
    assert len(private) == len(public) == 52
    data = base64.b32decode(private + "====")
    assert read_key(base64.b32encode(bytes(PrivateKey(data).public_key)).decode()) == public


def test_keys_are_read_as_people_paste_them() -> None:
    _, public = make_pair()
    assert read_key(f" descriptor:x25519:{public.lower()}\n") == public
    assert base64.b64decode(base64_key(public) + "=") == base64.b32decode(public + "====")


@pytest.mark.parametrize("text", ["", "A", "!" * 52, "A" * 51, "A" * 60, "é" * 52, "A" * 52])
def test_other_text_is_no_key(text: str) -> None:
    with pytest.raises(Refusal) as caught:
        read_key(text)
    assert caught.value.code == "malformed"


async def test_add_and_remove(access: Access, calls: list[tuple[Any, ...]]) -> None:
    anna = await access.add_reader(NewReader(name="Anna"))
    assert anna.private_key is not None
    _, public = make_pair()
    bert = await access.add_reader(NewReader(name="Bert", key=public))
    assert (bert.key, bert.private_key) == (public, None)
    assert [reader.name for reader in (await access.list_readers()).readers] == ["Anna", "Bert"]
    assert all(reader.private_key is None for reader in (await access.list_readers()).readers)
    await access.remove_reader("Anna")
    assert calls == [("apply", True), ("apply", False), ("apply", True)]


@pytest.mark.parametrize("change", ["add", "remove", "grant", "drop"])
async def test_tor_is_told_what_the_book_holds_though_nobody_waits(
    access: Access, calls: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    key = make_pair()[0]
    await access.add_reader(NewReader(name="Anna"))
    await access.add_reader_key(NewReaderKey(address=ADDRESS, key=key))
    calls.clear()
    with trio.CancelScope() as scope:

        def saving(method: str) -> None:
            save = getattr(Shelf, method)

            async def and_go(shelf: Shelf, rows: list[tuple[str, str]]) -> None:
                await save(shelf, rows)
                scope.cancel()  # whoever asked for the change has gone

            monkeypatch.setattr(Shelf, method, and_go)

        saving("save_readers")
        saving("save_keys")
        match change:
            case "add":
                await access.add_reader(NewReader(name="Bert"))
            case "remove":
                await access.remove_reader("Anna")
            case "grant":
                await access.add_reader_key(NewReaderKey(address=ADDRESS, key=key))
            case _:
                await access.remove_reader_key(ADDRESS)
    told = {
        "add": ("apply", False),
        "remove": ("apply", True),
        "grant": ("grant", ADDRESS, key),
        "drop": ("drop", ADDRESS),
    }
    assert calls == [told[change]]


async def test_names_are_checked(access: Access, calls: list[tuple[Any, ...]]) -> None:
    await access.add_reader(NewReader(name="Anna"))
    with pytest.raises(Refusal) as caught:
        await access.add_reader(NewReader(name="Anna"))
    assert caught.value.code == "wrong_state"
    with pytest.raises(Refusal) as caught:
        await access.remove_reader("Bert")
    assert caught.value.code == "not_found"
    assert calls == [("apply", True)]


async def test_keys_to_others(access: Access, calls: list[tuple[Any, ...]]) -> None:
    old, new = make_pair()[0], make_pair()[0]
    await access.add_reader_key(NewReaderKey(address=ADDRESS, key=old))
    await access.add_reader_key(NewReaderKey(address=ADDRESS.upper(), key=new.lower()))
    assert (await access.list_reader_keys()).addresses == [ADDRESS]
    await access.remove_reader_key(ADDRESS)
    assert (await access.list_reader_keys()).addresses == []
    assert calls == [("grant", ADDRESS, old), ("grant", ADDRESS, new), ("drop", ADDRESS)]
    with pytest.raises(Refusal) as caught:
        await access.remove_reader_key(ADDRESS)
    assert caught.value.code == "not_found"
    with pytest.raises(Refusal) as caught:
        await access.add_reader_key(NewReaderKey(address="example.onion", key=old))
    assert caught.value.code == "bad_address"


async def refused(box: Any, address: str) -> str:
    """The reason for which `box` cannot reach `address`."""
    with pytest.raises(Refusal) as caught, trio.fail_after(240):
        async with await box.tor.dial(address, 80, "refused"):
            pytest.fail("it got in")
    assert caught.value.code == "unreachable"
    return str(caught.value.details["reason"])


@pytest.mark.tor
@pytest.mark.slow
async def test_closed_onion(start_box: Any, private_network: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "NEW_CIRCUITS_SECONDS", 11)
    torrc = str(private_network.torrc_path)
    here, anna, bert = [await start_box(number, tor_torrc=torrc) for number in range(3)]
    for box in (here, anna, bert):
        await box.until("reachable")
    address = here.tor.address
    await anna.call(address)  # open to everyone so far

    for_anna = await here.tor.add_reader(NewReader(name="Anna"))
    private, public = make_pair()
    await here.tor.add_reader(NewReader(name="Bert", key=public))
    assert await refused(bert, address) == "client key missing"

    began = time.monotonic()
    await bert.tor.add_reader_key(NewReaderKey(address=address, key=private))
    await bert.call(address)
    await anna.tor.add_reader_key(NewReaderKey(address=address, key=for_anna.private_key))
    await anna.call(address)
    assert time.monotonic() - began < 90

    await here.tor.remove_reader("Anna")
    assert await refused(anna, address) == "client key wrong"
    await bert.call(address)

    await here.tor.remove_reader("Bert")
    with trio.fail_after(400):  # nobody is left on the list: open again, as soon as Anna's Tor asks anew
        while True:
            with suppress(Refusal):
                await anna.call(address)
                break
            await trio.sleep(1)


async def rendezvous_under_way(box: Any) -> None:
    """Return as soon as the Tor of `box` builds a circuit to somebody who has asked for it."""
    while True:
        told = (await box.tor._life.control.ask("circuit-status"))["circuit-status"]
        if any("PURPOSE=HS_SERVICE_REND" in line and " BUILT " not in line for line in told.splitlines()):
            return


@pytest.mark.tor
@pytest.mark.slow
async def test_who_was_on_the_way_in_is_shut_out(start_box: Any, private_network: Any) -> None:
    torrc = str(private_network.torrc_path)
    here, anna = [await start_box(number, tor_torrc=torrc) for number in range(2)]
    for box in (here, anna):
        await box.until("reachable")
    address = here.tor.address
    for_anna = await here.tor.add_reader(NewReader(name="Anna"))
    await here.tor.add_reader(NewReader(name="Bert", key=make_pair()[1]))
    await anna.tor.add_reader_key(NewReaderKey(address=address, key=for_anna.private_key))
    await anna.call(address)

    leaving = trio.CancelScope()

    async def dial_and_leave() -> None:
        with leaving, suppress(Refusal):
            async with await anna.tor.dial(address, 80, "early"):
                await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(dial_and_leave)
        with trio.fail_after(60):
            await rendezvous_under_way(here)
        with private_network.frozen():
            # Anna's Tor gives a circuit that comes when nobody waits for it any more to whoever dials next.
            leaving.cancel()
            nursery.start_soon(here.tor.remove_reader, "Anna")
            await trio.sleep(1)
    assert await refused(anna, address) == "client key wrong"


@pytest.mark.tor
async def test_readers_outlive_a_restart(start_box: Any, private_network: Any) -> None:
    torrc = str(private_network.torrc_path)
    here, there = await start_box(0, tor_torrc=torrc), await start_box(1, tor_torrc=torrc)
    await here.until("reachable")
    reader = await here.tor.add_reader(NewReader(name="There"))
    await there.tor.add_reader_key(NewReaderKey(address=here.tor.address, key=reader.private_key))
    await there.until("reachable")
    for box in (here, there):
        box.kill()
        await box.until("restarting")
        await box.until("reachable")
    await there.call(here.tor.address)
    await there.tor.remove_reader_key(here.tor.address)
    assert await refused(there, here.tor.address) == "client key missing"


@pytest.mark.tor
async def test_a_locked_list_keeps_the_onion_shut(start_box: Any, private_network: Any, book: Any) -> None:
    torrc = str(private_network.torrc_path)
    book.readers, book.locked = [("Anna", make_pair()[1])], True
    box = await start_box(0, book=book, tor_torrc=torrc)
    await box.until("publishing")
    assert box.tor.status.words.startswith("Only chosen readers may reach this box")
    book.locked = False
    await box.tor.refresh()
    await box.until("reachable")
    assert box.tor.status.problem is None
