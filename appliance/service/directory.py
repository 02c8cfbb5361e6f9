"""The directory of this box: who its people are, provable by the log, and their devices' prekeys.

Anyone may read; members write what their keys signed. Nothing here is secret or sealed, so it serves while
the box is locked. The log's checkpoint is signed with the box's identity, which its address tells.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final

import trio

from appliance.config import Config
from appliance.errors import Refusal
from appliance.protocol import transparency
from appliance.protocol.directory import (
    Checkpoint,
    Consistency,
    ConsistencyQuery,
    Found,
    Leaves,
    LookUp,
    Proof,
    Publish,
    Published,
    Taken,
    TakenPrekey,
    TakePrekeys,
)
from appliance.protocol.prekeys import (
    check_entry,
    check_one_time,
    device_of,
    read_bundle,
    read_entry,
)
from appliance.service.account_hooks import Hooks
from appliance.service.caller import Caller
from appliance.service.ports import Clock, hour_of
from appliance.service.puzzle import Puzzle
from appliance.store import directory, log_tree, prekeys
from appliance.store.engine import Store
from appliance.store.prekeys import Stock
from appliance.store.storekey import KeyRing
from appliance.store.transaction import Transaction

LEAVES_OCTETS: Final = 512 * 1024
"""An answer with leaves ends with the one that passes this."""

OnLow = Callable[[bytes, bytes, int], None]
OnRemoved = Callable[[bytes, bytes, bytes], Awaitable[None]]
Removing = Callable[[Transaction, bytes, bytes], None]
Changing = Callable[[Transaction, bytes], None]


class Directory:
    """Entries, bundles, prekeys and the log. Durable; callbacks (account, device, …) after the commit."""

    def __init__(self, store: Store, ring: KeyRing, config: Config, clock: Clock) -> None:
        self._store = store
        self._identity = ring.identity
        self._clock = clock
        self._puzzle = Puzzle(config, clock)
        self._checkpoint: tuple[int, str] | None = None
        self._verifying = trio.CapacityLimiter(1)
        self.on_low: OnLow = lambda account, device, left: None
        self.on_device_removed: list[OnRemoved] = []
        """Called after the commit with account, device, and the sign-in that removed it."""
        self.changing: list[Changing] = []
        """Called inside the transaction that puts another entry of an account in force."""
        self.removing: list[Removing] = []
        """Called inside the transaction that lets a device go: they may touch nothing else."""
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Take the settings that hold from now on."""
        self._config = config
        self._puzzle.configure(config)

    def join(self, hooks: Hooks) -> None:
        """Take part when an account is exported or deleted."""
        hooks.forget.append(lambda txn, account, name: directory.forget(txn, account))
        hooks.export.append(lambda txn, account, name: {"directory_entry": directory.entry(txn, account)})

    # For anyone

    async def look_up(self, query: LookUp) -> Found:
        """The entry of a name with its proof, and its devices' bundles; Refusal no_account."""

        return await self._store.read_cold(lambda txn: self._found(txn, query.name, query.size))

    def found(self, txn: Transaction, names: Iterable[str], size: int) -> list[Found]:
        """The same of many, at one state of the log; nothing of a name that is gone."""
        return [self._found(txn, name, size) for name in names if directory.is_there(txn, name)]

    def _found(self, txn: Transaction, name: str, size: int) -> Found:
        row = directory.find(txn, name)
        return Found(
            entry=directory.signed_entry(txn, row),
            proof=self._prove(txn, row.leaf, size),
            bundles=directory.bundles(txn, row.account),
        )

    async def checkpoint(self) -> Checkpoint:
        """The signed head of the log."""
        return Checkpoint(await self._store.read_cold(lambda txn: self._note(txn, log_tree.size(txn))))

    async def consistency(self, query: ConsistencyQuery) -> Consistency:
        """The proof that one tree is a prefix of a later one; Refusal malformed for trees never seen."""

        def job(txn: Transaction) -> Consistency:
            size = log_tree.size(txn)
            second = query.second or size
            if not 0 <= query.first <= second <= size:
                raise Refusal("malformed", field="first")
            return Consistency(log_tree.consistency(txn, query.first, second), self._note(txn, second))

        return await self._store.read_cold(job)

    async def leaves(self, start: int) -> Leaves:
        """A stretch of the log."""

        def job(txn: Transaction) -> Leaves:
            entries: list[bytes] = []
            octets = 0
            for entry in log_tree.leaves(txn, start):
                if octets >= LEAVES_OCTETS:
                    return Leaves(start, entries, True)
                entries.append(entry)
                octets += len(entry)
            return Leaves(start, entries, False)

        return await self._store.read_cold(job)

    async def take(self, wanted: TakePrekeys, *, stranger: bool = True) -> Taken:
        """One one-time prekey of each device that has any to give now; Refusals no_account, work, busy.

        In an hour `prekeys_free` of a device are given without work, in a day `prekeys_day` in all. Where
        only the puzzle is missing, it comes with the answer.
        """
        row = self._store.read(lambda txn: directory.find(txn, wanted.name))
        devices = list(dict.fromkeys(wanted.devices))
        hour = hour_of(self._clock())

        def price(txn: Transaction) -> dict[bytes, str]:
            return {
                device: self._price(prekeys.find_stock(txn, row.account, device).at(hour))
                for device in devices
            }

        prices = self._store.read(price)
        paid = not stranger
        if stranger and wanted.work is not None and "work" in prices.values():
            await self._puzzle.check(wanted.work)
            paid = True

        def job(txn: Transaction) -> list[TakenPrekey]:
            given = {"free", "work"} if paid else {"free"}
            return [
                TakenPrekey(
                    device,
                    prekeys.take(txn, row.account, device, hour) if price(txn)[device] in given else None,
                )
                for device in devices
            ]

        if "free" in prices.values() or (paid and "work" in prices.values()):
            taken = await self._store.write(job)
        else:  # a flood of askers costs no commit once there is nothing to give
            taken = [TakenPrekey(device, None) for device in devices]
        self._tell_low(row.account, taken)
        dear = stranger and "work" in self._store.read(price).values()
        return Taken(taken, self._puzzle.challenge() if dear else None)

    async def take_many(
        self, wanted: Sequence[tuple[str, Sequence[bytes]]]
    ) -> list[tuple[str, list[TakenPrekey]]]:
        """The same of many, for who needs no puzzle, in one transaction; nothing of a name that is gone."""
        hour = hour_of(self._clock())

        def has(txn: Transaction, account: bytes, device: bytes) -> bool:
            return self._price(prekeys.find_stock(txn, account, device).at(hour)) != "none"

        def rows(txn: Transaction) -> list[tuple[str, bytes, list[bytes]]]:
            there = [(name, devices) for name, devices in wanted if directory.is_there(txn, name)]
            return [
                (name, directory.find(txn, name).account, list(dict.fromkeys(devices)))
                for name, devices in there
            ]

        def job(txn: Transaction) -> list[tuple[str, bytes, list[TakenPrekey]]]:
            return [
                (
                    name,
                    account,
                    [
                        TakenPrekey(
                            device,
                            prekeys.take(txn, account, device, hour) if has(txn, account, device) else None,
                        )
                        for device in devices
                    ],
                )
                for name, account, devices in rows(txn)
            ]

        def is_any(txn: Transaction) -> bool:
            return any(has(txn, account, device) for _, account, devices in rows(txn) for device in devices)

        if self._store.read(is_any):
            taken = await self._store.write(job)
        else:
            taken = [
                (name, account, [TakenPrekey(device, None) for device in devices])
                for name, account, devices in self._store.read(rows)
            ]
        for _, account, given in taken:
            self._tell_low(account, given)
        return [(name, given) for name, _, given in taken]

    def _price(self, stock: Stock) -> str:
        """What a prekey of a stock costs now: "free", "work", or "none" when there is none to be had."""
        if not stock.left or stock.in_day >= self._config.prekeys_day:
            return "none"
        return "free" if stock.in_hour < self._config.prekeys_free else "work"

    def _tell_low(self, account: bytes, taken: list[TakenPrekey]) -> None:
        given = [one.device for one in taken if one.prekey is not None]

        def job(txn: Transaction) -> dict[bytes, int]:
            return {device: prekeys.find_stock(txn, account, device).left for device in given}

        for device, left in self._store.read(job).items():
            if left < self._config.prekeys_low:
                self.on_low(account, device, left)

    # For members

    async def publish(self, caller: Caller, new: Publish) -> Published:
        """Put a member's entry, bundle and prekeys in force, all or none; answered once durable.

        Refusals bad_entry, old_entry, bad_bundle, no_device, name_taken, too_many.
        """
        device = caller.require_device() if new.bundle is not None or new.one_time or new.replace else None
        held = await self._store.read_cold(lambda txn: directory.entry(txn, caller.account))
        await trio.to_thread.run_sync(self._verify, caller, device, new, held, limiter=self._verifying)
        hour = hour_of(self._clock())

        def job(txn: Transaction) -> list[bytes]:
            if new.entry is None and directory.entry(txn, caller.account) != held:
                raise Refusal("old_entry")  # another device changed it while we verified
            changes = new.entry is not None and directory.entry(txn, caller.account) != new.entry
            gone = [] if new.entry is None else directory.publish(txn, caller.account, new.entry, hour)
            for changing in self.changing if changes else ():
                changing(txn, caller.account)
            for one in gone:
                for removing in self.removing:
                    removing(txn, caller.account, one)
            if device is not None and new.bundle is not None:
                directory.save_bundle(txn, caller.account, device, new.bundle)
            if device is not None and (new.one_time or new.replace):
                prekeys.add(txn, caller.account, device, new.one_time, replace=new.replace)
            return gone

        for one in await self._store.write(job):
            for listener in self.on_device_removed:
                await listener(caller.account, one, caller.session)
        return await self.published(caller)

    async def published(self, caller: Caller) -> Published:
        """What is in force for a member, and how many one-time prekeys their device has."""

        def job(txn: Transaction) -> Published:
            device, name = caller.device, directory.find_name(txn, caller.account)
            left = 0 if device is None else prekeys.find_stock(txn, caller.account, device).left
            if name is None:
                return Published(left, None, None)
            row = directory.find(txn, name)
            return Published(left, directory.signed_entry(txn, row), self._prove(txn, row.leaf, 0))

        return await self._store.read_cold(job)

    def _verify(self, caller: Caller, device: bytes | None, new: Publish, held: bytes | None) -> None:
        """Every signature of a publication, under the entry that will hold: many, so in a thread."""
        if new.entry is not None:
            entry = read_entry(new.entry)
            check_entry(entry, caller.name, self._identity.public)
        elif held is not None:
            entry = directory.entry_of(held)
        elif device is None:
            return
        else:
            raise Refusal("bad_bundle")
        if device is None:
            return
        its = device_of(entry, device)
        if new.bundle is not None and read_bundle(new.bundle, entry).device != device:
            raise Refusal("bad_bundle")
        for prekey in new.one_time:
            check_one_time(prekey, its)

    # The log

    def _prove(self, txn: Transaction, leaf: int, older: int) -> Proof:
        size = log_tree.size(txn)
        return Proof(
            index=leaf,
            hashes=log_tree.inclusion(txn, leaf, size),
            checkpoint=self._note(txn, size),
            consistency=log_tree.consistency(txn, older, size) if 0 < older <= size else None,
        )

    def _note(self, txn: Transaction, size: int) -> str:
        """The checkpoint of a tree; that of the present one is kept. Read by several threads."""
        kept = self._checkpoint
        if kept is not None and kept[0] == size:
            return kept[1]
        note = transparency.write_checkpoint(self._identity, size, log_tree.root(txn, size))
        if size == log_tree.size(txn):
            self._checkpoint = (size, note)
        return note
