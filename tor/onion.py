"""The box's onion service: published from the identity's seed, its key on no disk.

The service must be a `HiddenServiceDir` one (only those tell circuits apart), and Tor reads such a key from a
file. So the file lies on a file system in memory for the moment in which Tor reads it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import trio

from appliance.protocol import keys, onion
from tor.control import Control, ControlFailed, ControlRefused

PORT: Final = 80
_HEADER: Final = b"== ed25519v1-secret: type0 ==\0\0\0"
_KEY: Final = "hs_ed25519_secret_key"
GRACE_SECONDS: Final = 2.0
LET_GO_SECONDS: Final = 20.0
LOOK_AGAIN_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class Guards:
    """What shields the service: Tor's proof of work, and streams at once on one circuit."""

    proof_of_work: bool
    streams: int


class Onion:
    """The service of one seed. `target` is the unix socket that gets its connections, PROXY line first."""

    def __init__(self, seed: bytes, target: Path, guards: Guards) -> None:
        self._key = onion.expanded_key(seed)
        self.address = onion.address(keys.SigningKey(seed).public)
        self._target = target
        self._guards = guards
        self._round = 0

    def __repr__(self) -> str:
        return f"Onion({self.address})"

    async def publish(self, control: Control, folder: Path, readers: Sequence[str]) -> None:
        """Publish, or publish anew for other readers (x25519 public keys, base32); none lets all in."""
        service = folder / "onion"
        service.mkdir(mode=0o700, exist_ok=True)
        _write_readers(service / "authorized_clients", readers)
        # Tor rereads the folder only if some option of the service is another than before.
        self._round += 1
        key = service / _KEY
        try:
            _write_secret(key, _HEADER + self._key)
            await self._set(control, service)
        finally:
            key.unlink(missing_ok=True)

    async def withdraw(self, control: Control) -> None:
        """End the service and cut all its circuits, so that who got to it before must ask for it anew.

        Tor closes the introduction points and what is connected. But it goes on building circuits to a
        rendezvous it was asked for before, and one that is done belongs to the service that has the address
        then: published anew by that time, it lets in whom its list of readers was to shut out. So none of
        them is left when this returns; ControlFailed if Tor does not let go of one.
        """
        await control.reset("HiddenServiceDir")
        with trio.move_on_after(LET_GO_SECONDS):
            await _let_go(control)
            return
        raise ControlFailed("Tor does not let go of the onion's circuits")

    async def _set(self, control: Control, service: Path) -> None:
        block = [
            ("HiddenServiceDir", str(service)),
            ("HiddenServiceVersion", "3"),
            ("HiddenServicePort", f'{PORT} unix:"{self._target}"'),
            ("HiddenServiceExportCircuitID", "haproxy"),
            ("HiddenServiceMaxStreams", str(self._guards.streams + self._round % 2)),
        ]
        shield = [("HiddenServicePoWDefensesEnabled", "1")] if self._guards.proof_of_work else []
        try:
            await control.set([*block, *shield])
        except ControlFailed:
            # A tor built without this module refuses the block; an onion without it is better than none.
            if not shield:
                raise
            await control.set(block)


async def _let_go(control: Control) -> None:
    """Return when no circuit to a rendezvous is left, of an onion that has been withdrawn."""
    seen: dict[str, float] = {}
    while under_way := await control.circuits("HS_SERVICE_REND"):
        now = trio.current_time()
        seen = {circuit: seen.get(circuit, now) for circuit in under_way}
        for circuit, since in seen.items():
            # Tor itself closes one that is done, since it belongs to no service. Of one that is closed under
            # way it makes others a few times; and if not even the guard has answered yet, it takes that for
            # a failure of the guard. So only those are closed here that take long.
            if now - since >= GRACE_SECONDS:
                with suppress(ControlRefused):  # it has gone by itself
                    await control.close_circuit(circuit)
        await trio.sleep(LOOK_AGAIN_SECONDS)


def _write_readers(folder: Path, readers: Sequence[str]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    for number, key in enumerate(readers):
        (folder / f"{number}.auth").write_text(f"descriptor:x25519:{key}\n")


def _write_secret(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
