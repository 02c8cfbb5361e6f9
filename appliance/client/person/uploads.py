"""Attachments on their way out: sealed, saved with their message, then handed over in parts.

An entry in the vault says what is still to be handed over; what our box keeps was handed over before, so that
whoever goes on after a crash asks it which chunks are lacking. With a profile a sealed copy lies beside it
until then; without one the same file is needed again, and goes on under the same message.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import trio

from appliance.client.person import records
from appliance.client.person.ledger import Batch
from appliance.client.person.whole import part_id
from appliance.errors import Refusal
from appliance.protocol import attachment, codec, content
from appliance.protocol.attachment import PIECE
from appliance.protocol.content import VERSION, Attachment
from appliance.protocol.envelope import SIZES, envelope_id
from appliance.protocol.names import clean_file_name
from appliance.protocol.post import Destination, Dispatch

if TYPE_CHECKING:
    from appliance.client.person.core import Core

AT_ONCE: Final = 32
"""Chunks in one request: half a megabyte."""
ASKED: Final = 256
WANTED_SECONDS: Final = 14 * 24 * 3600
"""So long somebody waits for the rest of an attachment."""
CHUNK: Final = SIZES[3]


class Uploads:
    """What this device has still to hand over. `folder`: where sealed copies lie, None to keep none."""

    def __init__(self, core: Core, folder: Path | None) -> None:
        self._core = core
        self._folder = folder
        self._entries: dict[bytes, records.UploadEntry] = {}
        self._running: set[bytes] = set()
        self._resuming: dict[bytes, trio.Event] = {}

    async def load(self) -> None:
        """Read what was not handed over, and go on with what is here; the rest is told by `is_open`."""
        found = await self._core.vault.get(records.UPLOADS, records.Uploads)
        going = {id: entry for id, entry in self._entries.items() if id in self._running}
        self._entries = {entry.content["id"]: entry for entry in (found.entries if found else [])} | going
        for id, entry in self._entries.items():
            if self._is_ours(entry):
                self._core.soon(self._resume, id)
        if self._folder is not None and self._folder.is_dir():
            for path in self._folder.iterdir():
                if path.name not in {id.hex() for id in (*self._entries, *self._running)}:
                    path.unlink(missing_ok=True)

    def is_open(self, id: bytes) -> bool:
        """Whether not all of an attachment was handed over, and nothing here can do it by itself."""
        if id not in self._entries or (id in self._running and id not in self._resuming):
            return False
        return self._folder is None or not (self._folder / id.hex()).exists()

    def note(self, batch: Batch, conversation: str, said: dict[str, Any]) -> None:
        """In the same change as its message: remember that its chunks are to follow."""
        entry, now = records.UploadEntry(conversation, self._core.seat.device, said), self._core.now()

        def change(there: records.Uploads | None) -> records.Uploads:
            recent = [
                one
                for one in (there.entries if there else [])
                if now - one.content["sent"] < WANTED_SECONDS and one.content["id"] != said["id"]
            ]
            return records.Uploads(1, [*recent, entry])

        def after() -> None:
            self._entries[said["id"]] = entry
            self._core.soon(self._resume, said["id"])

        batch.change(records.UPLOADS, records.Uploads, change)
        batch.after.append(after)

    async def send(
        self, conversation: str, data: bytes, name: str, media: str, text: str | None, timer: int | None
    ) -> Attachment:
        """Send a file: its message first, then its chunks to every device and to our own box.

        The same file as one that was interrupted goes on under that message.
        """
        begun = self._begun(conversation, data, name)
        if begun is not None and begun.id in self._resuming:
            await self._resuming[begun.id].wait()
            if begun.id not in self._entries:
                return begun
        now = self._core.now()
        said, envelopes = await trio.to_thread.run_sync(_seal, data, name, media, text, timer, now, begun)
        self._running.add(said.id)
        try:
            if begun is None:
                await trio.to_thread.run_sync(self._keep, said.id, envelopes)
                await self._core.outbound.send(conversation, said)
            elif not self._is_ours(self._entries[said.id]):
                # Its message leaves this device once more, so that there is a session with each of theirs.
                await self._core.chats.resend(conversation, said.id)
            await self._hand_over(said.id, envelopes)
        finally:
            self._running.discard(said.id)
        return said

    def _begun(self, conversation: str, data: bytes, name: str) -> Attachment | None:
        digest = attachment.digest(data)
        for id, entry in self._entries.items():
            said = entry.content
            same = (said["digest"], said["size"], said["name"]) == (digest, len(data), clean_file_name(name))
            free = id in self._resuming or id not in self._running
            if same and free and entry.conversation == conversation:
                return typed(said)
        return None

    def _is_ours(self, entry: records.UploadEntry) -> bool:
        if entry.device == self._core.seat.device:
            return True
        return all(row.device != entry.device for row in self._core.account.devices)

    async def _resume(self, id: bytes) -> None:
        if id in self._running or id not in self._entries:
            return
        self._running.add(id)
        done = self._resuming[id] = trio.Event()
        try:
            envelopes = await trio.to_thread.run_sync(self._copy, id)
            await self._hand_over(id, envelopes)
        finally:
            self._running.discard(id)
            del self._resuming[id]
            done.set()

    async def _hand_over(self, id: bytes, envelopes: list[bytes] | None) -> None:
        """What our box lacks, first to every device of the other side and then to it. Refusal no_route."""
        entry = self._entries[id]
        known = [bytes(envelope_id(one)) for one in envelopes] if envelopes else await self._ids(entry)
        lacking = await self._lacking(known) if known else {b""}
        if lacking and envelopes is None:
            return
        to = await self._core.ledger.run(lambda batch: self._destinations(batch, entry.conversation))
        if lacking and not to:
            raise Refusal("no_route")
        left = [one for one, name in zip(envelopes or [], known, strict=False) if name in lacking]
        for at in range(0, len(left), AT_ONCE):
            some = left[at : at + AT_ONCE]
            legs = [Destination(one.handle, one.routes, list(range(len(some)))) for one in to]
            await self._core.dispatcher.send_now(Dispatch(part_id(id), some, legs))
            await self._core.steady(partial(self._core.member.keep, some))
            if id not in self._entries:
                # It was deleted meanwhile.
                await self._core.member.drop_kept([bytes(envelope_id(one)) for one in some])
                return
        self.drop(id)

    async def _ids(self, entry: records.UploadEntry) -> list[bytes]:
        """The ids of all envelopes in order; none when only who has the file knows them."""
        said = typed(entry.content)
        plan = attachment.plan(said.size)
        if not plan.indexes:
            return list(said.chunks)
        found = await self._core.member.read_kept(list(said.chunks))
        if None in found:
            return []
        pieces = [
            attachment.open_chunk(said.key, plan, plan.count + number, envelope)
            for number, envelope in enumerate(found)
            if envelope is not None
        ]
        return [*said.chunks, *attachment.read_index(plan, pieces)]

    async def _lacking(self, ids: list[bytes]) -> set[bytes]:
        lacking: set[bytes] = set()

        async def ask(some: list[bytes]) -> None:
            lacking.update(await self._core.member.lacking(some))

        for at in range(0, len(ids), ASKED):
            await self._core.steady(partial(ask, ids[at : at + ASKED]))
        return lacking

    async def _destinations(self, batch: Batch, conversation: str) -> list[Destination]:
        to = []
        for peer in self._core.ledger.peers(batch):
            record = await self._core.ledger.session(batch, peer)
            if record is not None and record.conversation == conversation and record.routes:
                to.append(Destination(record.handle, record.routes, [0]))
        return to

    def drop(self, id: bytes) -> None:
        """Nothing more is to be handed over: it is all there, or was deleted."""
        if self._folder is not None:
            (self._folder / id.hex()).unlink(missing_ok=True)
        if self._entries.pop(id, None) is None:
            return

        def change(now: records.Uploads | None) -> records.Uploads | None:
            return now and records.Uploads(1, [one for one in now.entries if one.content["id"] != id])

        self._core.ledger.later(lambda batch: batch.change(records.UPLOADS, records.Uploads, change))

    def forget(self) -> None:
        """No sealed copy stays on this computer."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _keep(self, id: bytes, envelopes: list[bytes]) -> None:
        if self._folder is None:
            return
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self._folder / id.hex()
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.writelines(envelopes)
            file.flush()
            os.fsync(file.fileno())

    def _copy(self, id: bytes) -> list[bytes] | None:
        """The envelopes of the sealed copy, if it is here whole."""
        try:
            whole = (self._folder / id.hex()).read_bytes() if self._folder else b""
        except OSError:
            return None
        plan = attachment.plan(self._entries[id].content["size"])
        if len(whole) != (plan.count + plan.indexes) * CHUNK:
            return None
        return [whole[at : at + CHUNK] for at in range(0, len(whole), CHUNK)]


def typed(said: dict[str, Any]) -> Attachment:
    """The content of an attachment's message; Refusal bad_message."""
    value = content.read(codec.encode(said))
    if not isinstance(value, Attachment):
        raise Refusal("bad_message")
    return value


def _seal(
    data: bytes,
    name: str,
    media: str,
    text: str | None,
    timer: int | None,
    now: int,
    begun: Attachment | None,
) -> tuple[Attachment, list[bytes]]:
    """The message of a file, and its envelopes: index chunks first. One that was begun keeps its message."""
    plan, key = attachment.plan(len(data)), begun.key if begun else secrets.token_bytes(32)
    chunks = [
        attachment.seal_chunk(key, plan, number, data[number * PIECE : (number + 1) * PIECE])
        for number in range(plan.count)
    ]
    ids = [bytes(envelope_id(chunk)) for chunk in chunks]
    index = [
        attachment.seal_chunk(key, plan, plan.count + number, piece)
        for number, piece in enumerate(attachment.index_pieces(plan, ids))
    ]
    said = begun or Attachment(
        v=VERSION,
        id=secrets.token_bytes(16),
        sent=now,
        name=clean_file_name(name),
        media=media,
        size=len(data),
        digest=hashlib.blake2b(data, digest_size=32).digest(),
        key=key,
        chunks=[bytes(envelope_id(one)) for one in index] or ids,
        text=text,
        timer=timer,
    )
    return said, [*index, *chunks]
