"""A box that answers what a test tells it to: signs with its own keys, keeps several logs, lies."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field

import h11
import trio

from appliance.protocol import codec, onion
from appliance.protocol.directory import Consistency, Found, LookUp, Proof
from appliance.protocol.keys import SigningKey
from appliance.protocol.transparency import (
    leaf_hash,
    nodes_of,
    prove_consistency,
    prove_inclusion,
    root,
    write_checkpoint,
)

Answer = tuple[int, bytes]


@dataclass
class Ledger:
    """One log of a box, which may keep several."""

    box: SigningKey
    entries: list[bytes] = field(default_factory=list)

    def found(self, index: int, older: int = 0, bundles: list[bytes] | None = None) -> Found:
        """A right answer about the entry at `index`."""
        node, size = nodes_of([leaf_hash(one) for one in self.entries]), len(self.entries)
        consistency = prove_consistency(node, older, size) if 0 < older <= size else None
        note = write_checkpoint(self.box, size, root(node, size))
        proof = Proof(index, prove_inclusion(node, index, size), note, consistency)
        return Found(self.entries[index], proof, bundles or [])

    def consistency(self, first: int, second: int) -> Consistency:
        node = nodes_of([leaf_hash(one) for one in self.entries])
        return Consistency(
            prove_consistency(node, first, second), write_checkpoint(self.box, second, root(node, second))
        )


@dataclass
class Rogue:
    """Serves a dial; `answer` gets path and body and gives status and body, or None for silence."""

    nursery: trio.Nursery
    answer: Callable[[str, bytes], Answer | None]
    box: SigningKey = field(default_factory=lambda: SigningKey(os.urandom(32)))
    asked: list[tuple[str, bytes]] = field(default_factory=list)
    dialled: list[tuple[str, str]] = field(default_factory=list)

    @property
    def host(self) -> str:
        return onion.address(self.box.public)

    def asked_for(self) -> list[LookUp]:
        return [codec.read(body, LookUp) for _, body in self.asked]

    async def dial(self, address: str, port: int, isolation: str) -> trio.abc.Stream:
        self.dialled.append((address, isolation))
        ours, theirs = trio.testing.memory_stream_pair()
        self.nursery.start_soon(self.serve, theirs)
        return ours

    async def serve(self, stream: trio.abc.Stream) -> None:
        async with stream:
            http = h11.Connection(h11.SERVER)
            while True:
                path, body = "", b""
                while not isinstance(event := http.next_event(), h11.EndOfMessage):
                    if event is h11.NEED_DATA:
                        http.receive_data(bytes(await stream.receive_some(65536)))
                    elif isinstance(event, h11.ConnectionClosed):
                        return
                    elif isinstance(event, h11.Request):
                        path = event.target.decode()
                    elif isinstance(event, h11.Data):
                        body += bytes(event.data)
                self.asked.append((path, body))
                answer = self.answer(path, body)
                if answer is None:
                    await trio.sleep_forever()
                    return
                headers = [("content-type", codec.CBOR), ("content-length", str(len(answer[1])))]
                head = http.send(h11.Response(status_code=answer[0], headers=headers)) or b""
                data = http.send(h11.Data(data=answer[1])) or b""
                try:
                    await stream.send_all(head + data + (http.send(h11.EndOfMessage()) or b""))
                except trio.BrokenResourceError:
                    return
                http.start_next_cycle()
