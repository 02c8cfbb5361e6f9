"""The vault: sealed records on the box, read by name, changed by compare-and-swap in batches.

A change is a function of the present value, so that a conflict is solved by reading again and running it
again. "Owned" records are written by one device only: a conflict there means that another client has taken
this device's seat, or that our own write was done and its answer was lost.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeVar

import msgspec
import trio

from appliance.client.person.member import Member
from appliance.errors import Refusal
from appliance.protocol import codec
from appliance.protocol.post import Dispatch
from appliance.protocol.record import VaultKeys
from appliance.protocol.vault import Left, Put, Remove, SealedRecord

T = TypeVar("T", bound=msgspec.Struct)
Step = Callable[[Any], Any]
"""What a record becomes: its new value, None to remove it, or itself unchanged to leave it alone."""

READ_AT_ONCE: Final = 128
TRIES: Final = 12


class Displaced(Exception):
    """Another client sits on this device now: whatever is in memory of it is stale."""


class Known(NamedTuple):
    """A record as last seen: its version (0: never there) and value (None: not there)."""

    version: int
    value: Any


@dataclass(frozen=True, slots=True)
class Edit:
    """One record's change."""

    name: str
    step: Step
    owned: bool = False


class Vault:
    """An opened vault; any task may use it. Changes and pulls take turns."""

    def __init__(self, member: Member, vault_key: bytes) -> None:
        self._member = member
        self._keys = VaultKeys(vault_key)
        self._known: dict[str, Known] = {}
        self._names: dict[bytes, str] = {}
        self._turn = trio.Lock()
        self.revision = 0
        self._untold: list[str] = []
        """What a pull that was cut off has brought."""
        self.changed: Callable[[list[str]], None] = lambda _: None
        """Called with names of records that others changed, where a conflict brought them and not a pull."""

    def __repr__(self) -> str:
        return "<Vault>"

    async def read(self, *names: str) -> list[Any]:
        """The values of these records, None for those that are not there."""
        await self._load([name for name in dict.fromkeys(names) if name not in self._known])
        return [self._known[name].value for name in names]

    async def get(self, name: str, kind: type[T]) -> T | None:
        """A record's value as its type; Refusal malformed."""
        (value,) = await self.read(name)
        return None if value is None else codec.convert(value, kind)

    def peek(self, name: str) -> Any:
        """A value that was read before, without asking."""
        return self._known.get(name, Known(0, None)).value

    def known(self, name: str, kind: type[T]) -> T:
        """A record that was read before and is there."""
        return codec.convert(self.peek(name), kind)

    async def create(self, name: str, value: msgspec.Struct) -> None:
        """Write a record unless it is there."""
        await self.commit([Edit(name, lambda now: value if now is None else now)])

    def version(self, name: str) -> int:
        """The version of a record that was read before; 0 when it never was there."""
        return self._known.get(name, Known(0, None)).version

    def drop(self, name: str) -> None:
        """Forget a record in memory (an old stretch of history)."""
        self._known.pop(name, None)

    async def commit(
        self,
        edits: list[Edit],
        written: Callable[[], bool] = lambda: False,
        dispatches: Sequence[Dispatch] = (),
        done: Sequence[int] = (),
    ) -> list[Left]:
        """Change records, all or none; the same edits may be given again when no answer came.

        Gives what became of the dispatches that left with it, nothing where the answer was lost. `done` are
        numbers of the device's queue that were read.
        `written` tells whether an owned record that is in the way is our own write of this very batch.
        Raises Displaced, Unanswered, or the box's Refusal.
        """
        await self.read(*[edit.name for edit in edits])
        async with self._turn:
            return await self._commit(edits, written, dispatches, done)

    async def _commit(
        self,
        edits: list[Edit],
        written: Callable[[], bool],
        dispatches: Sequence[Dispatch],
        done: Sequence[int],
    ) -> list[Left]:
        for turn in range(1, TRIES + 1):
            # The answer of an earlier try may have been lost, and its effect read by a pull.
            if written():
                return []
            after = self._after(edits)
            if not after:
                return []
            try:
                changed = await self._member.change_vault(*self._sealed(after), dispatches, done)
            except Refusal as refusal:
                if refusal.code != "vault_conflict" or turn == TRIES:
                    raise
                if await self._reread(edits):
                    if written():
                        return []
                    raise Displaced from refusal
            else:
                self._known.update(after)
                # A revision that is not the next one hides changes of others: those are still to be pulled.
                if changed.revision == self.revision + 1:
                    self.revision = changed.revision
                return changed.left
        raise AssertionError("the last try returns or raises")

    async def pull(self) -> list[str]:
        """Read what other devices changed; the names of the changed records that we know.

        Refusal vault_old when the box was set back.
        """
        async with self._turn:
            try:
                return await self._pull()
            except Refusal as refusal:
                if refusal.code != "vault_old":
                    raise
                return await self._read_anew(refusal)

    async def _pull(self) -> list[str]:
        while True:
            answer = await self._member.follow_vault(self.revision)
            for record in answer.records:
                name = self._names.get(record.id)
                if name in self._known and record.version > self.version(name or ""):
                    self._untold.append(self._take(record))
            last = answer.records[-1].revision if answer.records else answer.revision
            self.revision = last if answer.more else answer.revision
            if not answer.more or not answer.records:
                names, self._untold = self._untold, []
                return names

    async def _read_anew(self, old: Refusal) -> list[str]:
        """Read again all that is known: the box does not tell the way from there to now. What has changed."""
        now = await self._member.read_vault([])
        if now.revision < self.revision:
            raise old
        self.revision = now.revision
        before = {name: known.version for name, known in self._known.items()}
        await self._load(list(before), force=True)
        changed = [name for name in before if self.version(name) != before[name]]
        if any(0 < self.version(name) < before[name] for name in changed):
            raise old
        return changed

    def _after(self, edits: Iterable[Edit]) -> dict[str, Known]:
        after: dict[str, Known] = {}
        for edit in edits:
            before = self._known[edit.name]
            now = after.get(edit.name, before).value
            value = edit.step(now)
            if value is not now:
                after[edit.name] = Known(before.version + 1, _plain(value))
        return {
            name: known
            for name, known in after.items()
            if known.value is not None or self._known[name].value is not None
        }

    def _sealed(self, after: dict[str, Known]) -> tuple[list[Put], list[Remove]]:
        put: list[Put] = []
        remove: list[Remove] = []
        for name, (version, value) in after.items():
            id = self._id(name)
            if value is None:
                remove.append(Remove(id, version - 1))
            else:
                data = self._keys.seal(id, version, value, secrets.token_bytes(12))
                put.append(Put(id, version - 1, data))
        return put, remove

    async def _reread(self, edits: list[Edit]) -> bool:
        """Read what was in the way; whether an owned record is another than we thought.

        All else that others wrote comes with it: no record is known as it was after one that it refers to.
        """
        before = {edit.name: self.version(edit.name) for edit in edits}
        try:
            changed = await self._pull()
        except Refusal as refusal:
            if refusal.code != "vault_old":
                raise
            changed = []
        if not changed:  # what is there is older than what we know: the box was set back
            await self._load(list(before), force=True)
            changed = [name for name, version in before.items() if self.version(name) != version]
        self.changed(changed)
        return any(edit.owned and self.version(edit.name) != before[edit.name] for edit in edits)

    async def _load(self, names: list[str], force: bool = False) -> None:
        """With `force` an older version than we know counts, too: the box may have been set back."""
        for at in range(0, len(names), READ_AT_ONCE):
            await self._load_some({self._id(name): name for name in names[at : at + READ_AT_ONCE]}, force)

    async def _load_some(self, wanted: dict[bytes, str], force: bool) -> None:
        while wanted:
            answer = await self._member.read_vault(list(wanted))
            self.revision = self.revision or answer.revision
            for record in answer.records:
                if wanted.pop(record.id, None) is not None:
                    self._take(record, force)
            if not (answer.more and answer.records):
                self._known.update({name: Known(0, None) for name in wanted.values()})
                return

    def _take(self, record: SealedRecord, force: bool = False) -> str:
        name = self._names[record.id]
        if record.version < self.version(name) and not force:
            return name
        value = None if record.data is None else self._keys.open(record.id, record.version, record.data)
        self._known[name] = Known(record.version, value)
        return name

    def _id(self, name: str) -> bytes:
        id = self._keys.id(name)
        self._names[id] = name
        return id


def _plain(value: Any) -> Any:
    """A record's struct as the plain values that are stored."""
    if isinstance(value, msgspec.Struct):
        return msgspec.to_builtins(value, builtin_types=(bytes,))
    return value
