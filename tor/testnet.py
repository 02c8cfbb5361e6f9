"""A private Tor network on 127.0.0.1, for tests, the demo and the self-test: no packet leaves the machine.

Three directory authorities and two relays, all of them exits; fewer than five nodes bring a client to 100 %
but never carry an onion. `python -m tor.testnet FOLDER` keeps one up until its standard input closes.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import trio

from tor import child, testnode
from tor.testnode import Network, Node

AUTHORITIES = 3
RELAYS = 2
ATTEMPTS = 3
UP_SECONDS = 300.0
POLL_SECONDS = 0.25
STOP_SECONDS = 4.0

Progress = Callable[[int, str], None]
"""Called with a percentage and a sentence."""


class NetworkFailed(Exception):
    """The private network did not come up; the message says at which step."""


class PortTaken(NetworkFailed):
    """Ports are only guessed to be free, and another program was quicker."""


class PrivateNetwork:
    """`async with PrivateNetwork(folder) as network:` then give `network.torrc_path` to a client.

    `folder` is made if missing and keeps keys and logs; remove it afterwards. `binary` is a tor executable
    (`tor` on PATH by default), `gencert` its tor-gencert (looked for beside it, then on PATH), `environment`
    what the nodes run with. `bridges` names transports ("vanilla", "obfs4"); `bridge_lines` answers in that
    order. `authority_options` are more torrc lines of the authorities.
    """

    def __init__(
        self,
        folder: Path,
        binary: Path | None = None,
        *,
        gencert: Path | None = None,
        environment: dict[str, str] | None = None,
        bridges: Sequence[str] = (),
        authority_options: Sequence[str] = (),
        progress: Progress | None = None,
    ) -> None:
        self.folder = folder
        self.torrc: tuple[str, ...] = ()
        self.bridge_lines: tuple[str, ...] = ()
        self._binary = binary or _on_path("tor")
        self._gencert = gencert or _beside(self._binary, "tor-gencert")
        self._environment = environment
        self._bridges = tuple(bridges)
        self._authority_options = tuple(authority_options)
        self._progress = progress or (lambda percent, words: None)
        self._children: list[child.Child] = []

    @property
    def torrc_path(self) -> Path:
        """A file with the lines of `torrc`, for the setting `tor_torrc`."""
        return self.folder / "client.torrc"

    @property
    def pids(self) -> list[int]:
        """The process ids of the nodes."""
        return [one.pid for one in self._children]

    async def __aenter__(self) -> Self:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with trio.fail_after(UP_SECONDS):
                    await self._start()
                return self
            except PortTaken:
                await self._stop()
                if attempt == ATTEMPTS:
                    raise
            except trio.TooSlowError as error:
                await self._stop()
                raise NetworkFailed("the nodes did not agree in time") from error
            except BaseException:
                await self._stop()
                raise
        raise AssertionError("unreachable")

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stop()

    async def _start(self) -> None:
        self._progress(0, "Making keys for the private Tor network.")
        names = [f"authority{n}" for n in range(AUTHORITIES)] + [f"relay{n}" for n in range(RELAYS)]
        names += [f"bridge{n}" for n in range(len(self._bridges))]
        for name in names:
            shutil.rmtree(self.folder / name, ignore_errors=True)
        network = Network(self._binary, self._gencert, self._environment)
        nodes = testnode.lay_out(self.folder, AUTHORITIES, RELAYS, self._bridges)
        try:
            async with trio.open_nursery() as nursery:
                for node in nodes:
                    if not node.is_bridge:
                        nursery.start_soon(network.make_keys, node)
        except ExceptionGroup as group:
            raise NetworkFailed("the keys of the nodes could not be made") from group
        network.weigh(nodes)
        self.torrc = (*testnode.COMMON, *network.directory_lines(nodes))
        self.torrc_path.write_text("\n".join(self.torrc) + "\n")
        self._progress(25, "Starting the nodes of the private Tor network.")
        for node in nodes:
            more = (*network.roles(nodes), *self._authority_options) if node.is_authority else ()
            self._children.append(network.start(node, (*self.torrc, *more)))
        await self._wait_for_consensus(nodes)
        self.bridge_lines = tuple([await self._bridge_line(node) for node in nodes if node.is_bridge])
        self._progress(100, "The private Tor network is up.")

    async def _wait_for_consensus(self, nodes: list[Node]) -> None:
        wanted = sum(not node.is_bridge for node in nodes)
        ports = [node.dir_port for node in nodes if node.is_authority]
        agreed = -1
        while agreed < wanted:
            self._check_alive()
            counts = [await testnode.count_usable(port) for port in ports]
            if min(counts) > agreed:
                agreed = min(counts)
                words = f"The private Tor network is agreeing on its nodes: {agreed} of {wanted}."
                self._progress(40 + 50 * agreed // wanted, words)
            await trio.sleep(POLL_SECONDS)

    async def _bridge_line(self, node: Node) -> str:
        while (line := testnode.read_bridge_line(node)) is None:
            self._check_alive()
            await trio.sleep(POLL_SECONDS)
        return line

    def _check_alive(self) -> None:
        ended = [one for one in self._children if one.code is not None]
        if ended:
            logs = [node / "notices.log" for node in sorted(self.folder.iterdir()) if node.is_dir()]
            why = next((words for log in logs if (words := testnode.last_warning(log))), "no reason told")
            kind = PortTaken if "bind" in why.lower() else NetworkFailed
            raise kind(f"{len(ended)} of {len(self._children)} nodes ended at their start: {why}")

    async def _stop(self) -> None:
        children, self._children = self._children, []
        with trio.CancelScope(shield=True):
            async with trio.open_nursery() as nursery:
                for one in children:
                    nursery.start_soon(one.stop, STOP_SECONDS)


def _on_path(name: str) -> Path:
    # /usr/sbin is where Debian puts tor, and not on everybody's PATH.
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if found is None:
        raise NetworkFailed(f"{name} is not installed")
    return Path(found)


def _beside(binary: Path, name: str) -> Path:
    neighbour = binary.parent / name
    return neighbour if neighbour.exists() else _on_path(name)


async def _serve(folder: Path, binary: Path | None, bridges: Sequence[str]) -> None:
    async with PrivateNetwork(folder, binary, bridges=bridges) as network:
        answer = {
            "torrc": network.torrc,
            "torrc_path": str(network.torrc_path),
            "bridges": network.bridge_lines,
            "pids": network.pids,
        }
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
        # The reader holds our standard input open; when it goes, in whatever way, so do we.
        while await trio.to_thread.run_sync(os.read, 0, 1024, abandon_on_cancel=True):
            pass


def main() -> None:
    """Keep a private network up until standard input closes; prints one line of JSON when it is ready."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tor", type=Path, default=None, help="the tor executable")
    parser.add_argument("--bridge", action="append", default=[], choices=["vanilla", "obfs4"])
    options = parser.parse_args()
    trio.run(_serve, options.folder, options.tor, options.bridge)


if __name__ == "__main__":
    main()
