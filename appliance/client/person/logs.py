"""The directory logs of boxes as the account remembers them, and contradictions between their checkpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from appliance.client.person import records
from appliance.client.person.records import Contradiction
from appliance.errors import Refusal
from appliance.protocol import codec, onion
from appliance.protocol.transparency import Head, read_checkpoint

if TYPE_CHECKING:
    from appliance.client.person.core import Core
    from appliance.client.person.ledger import Batch

MOST_KEPT: Final = 16
"""Contradictions that are kept."""


class Logs:
    """The newest head of each log; durable in the vault, a little later."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._heads: dict[str, Head] = {}

    async def head(self, host: str) -> Head | None:
        """The tree that an answer of this box must continue; None when nothing is known."""
        stored = await self._core.vault.get(records.LOGS, records.Logs)
        kept = codec.convert(stored.heads[host], Head) if stored and host in stored.heads else None
        mine = self._heads.get(host)
        if mine is None or (stored and any(_ended(one, host, mine) for one in stored.contradictions)):
            return kept
        return mine if kept is None or mine.size > kept.size else kept

    def keep(self, host: str, head: Head, note: str) -> None:
        """A checked head that continues what was known."""
        self._heads[host] = head

        def change(logs: records.Logs | None) -> records.Logs:
            logs = logs or records.Logs(1, {})
            if host in logs.heads and logs.heads[host]["size"] >= head.size:
                return logs
            return _with(logs, host, head, note)

        self._core.ledger.later(lambda batch: batch.change(records.LOGS, records.Logs, change))

    def contradict(self, host: str, before: Head, note: str) -> None:
        """Keep both checkpoints: by the box's own signatures they prove that one continues not the other."""
        hour = self._core.hour()

        def change(logs: records.Logs | None) -> records.Logs:
            logs = logs or records.Logs(1, {})
            others = [one for one in logs.contradictions if (one.host, one.after) != (host, note)]
            seen = Contradiction(host, hour, _plain(before), _note(logs, host, before), note)
            return msgspec.structs.replace(logs, contradictions=[*others, seen][-MOST_KEPT:])

        self._core.ledger.later(lambda batch: batch.change(records.LOGS, records.Logs, change))

    async def accept(self, host: str) -> None:
        """Go on from the checkpoint that contradicted last; the evidence stays.

        Refusals: bad_address, and wrong_state where nothing contradicts.
        """
        box = onion.public_key(host)
        found: list[Head] = []

        def change(logs: records.Logs | None) -> records.Logs | None:
            open_ones = [one for one in logs.contradictions if one.host == host] if logs else []
            if logs is None or not open_ones or open_ones[-1].accepted:
                return logs
            last = open_ones[-1]
            head = read_checkpoint(last.after, box)
            found[:] = [head]
            seen = [
                msgspec.structs.replace(one, accepted=True) if one is last else one
                for one in logs.contradictions
            ]
            return _with(msgspec.structs.replace(logs, contradictions=seen), host, head, last.after)

        async def step(batch: Batch) -> None:
            batch.change(records.LOGS, records.Logs, change)

        await self._core.ledger.flush()
        await self._core.ledger.run(step)
        if not found:
            raise Refusal("wrong_state")
        self._heads[host] = found[0]


def _with(logs: records.Logs, host: str, head: Head, note: str) -> records.Logs:
    heads, notes = {**logs.heads, host: _plain(head)}, {**logs.notes, host: note}
    return msgspec.structs.replace(logs, heads=heads, notes=notes)


def _note(logs: records.Logs, host: str, head: Head) -> str:
    """The signed checkpoint of a head, if it is the one that was kept."""
    return logs.notes.get(host, "") if logs.heads.get(host) == _plain(head) else ""


def _ended(one: Contradiction, host: str, head: Head) -> bool:
    """Whether another device of the account went on from another tree than this one."""
    return one.accepted and one.host == host and one.before == _plain(head)


def _plain(head: Head) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(head, builtin_types=(bytes,))
    return plain
