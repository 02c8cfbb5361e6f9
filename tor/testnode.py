"""The nodes of the private network: their ports, keys, torrc files and what an authority says of them."""

from __future__ import annotations

import random
import shutil
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Literal

import trio

from tor import child

HOST = "127.0.0.1"
KEY_SECONDS = 120.0  # RSA keys by chance take long; an emulated machine was seen to need half a minute
WORTH = 1000  # what each relay weighs; an authority, which nobody measures, weighs one at most
USABLE_FLAGS = frozenset({"HSDir", "Running", "Valid"})

COMMON: Final = (
    "TestingTorNetwork 1",
    "AssumeReachable 1",
    "PathsNeededToBuildCircuits 0.6",  # less is there as long as a client knows but four of five nodes
    "ShutdownWaitLength 0",
    "AvoidDiskWrites 1",
)

_AUTHORITY: Final = (
    "AuthoritativeDirectory 1",
    "V3AuthoritativeDirectory 1",
    "TestingV3AuthInitialVotingInterval 5",
    "TestingV3AuthInitialVoteDelay 2",
    "TestingV3AuthInitialDistDelay 2",
    "V3AuthVotingInterval 20",
    "V3AuthVoteDelay 2",
    "V3AuthDistDelay 2",
    "V3AuthNIntervalsValid 3",
    "TestingDirAuthVoteHSDir *",
    "TestingMinExitFlagThreshold 0",
    "ConsensusParams maxunmeasuredbw=1",
    "ContactInfo private-network@example.invalid",
)

Kind = Literal["authority", "relay", "vanilla", "obfs4"]


@dataclass(slots=True)
class Node:
    """One node: where it lives and listens; it knows its fingerprint after `make_keys`, bridges excepted."""

    kind: Kind
    name: str
    folder: Path
    or_port: int
    dir_port: int
    identity: str = ""
    fingerprint: str = ""

    @property
    def is_authority(self) -> bool:
        """Whether it votes."""
        return self.kind == "authority"

    @property
    def is_bridge(self) -> bool:
        """Whether it is left out of the consensus."""
        return self.kind in ("vanilla", "obfs4")

    @property
    def bandwidths(self) -> Path:
        """The file from which every authority takes what each node is worth."""
        return self.folder.parent / "bandwidths"

    def torrc(self, directory: Sequence[str]) -> list[str]:
        """Every line of its torrc; `directory` is what all nodes share."""
        lines = [
            *directory,
            f"Nickname {self.name}",
            f'DataDirectory "{self.folder}"',
            f"Address {HOST}",
            f"OutboundBindAddress {HOST}",
            f"ORPort {HOST}:{self.or_port} IPv4Only",
            "SocksPort 0",
            "Log notice stdout",
        ]
        if self.is_authority:
            lines += [f"DirPort {HOST}:{self.dir_port} IPv4Only", f'V3BandwidthsFile "{self.bandwidths}"']
            return [*lines, *_AUTHORITY, *_EXIT]
        if self.kind == "relay":
            return [*lines, *_EXIT]
        lines += ["BridgeRelay 1", "PublishServerDescriptor 0", "ExitRelay 0"]
        if self.kind == "obfs4":
            transport = shutil.which("obfs4proxy") or shutil.which("lyrebird") or "obfs4proxy"
            lines += [
                f"ServerTransportPlugin obfs4 exec {transport}",
                f"ServerTransportListenAddr obfs4 {HOST}:{self.dir_port}",
                "ExtORPort auto",
            ]
        return lines


_EXIT: Final = ("ExitRelay 1", "ExitPolicy accept 127.0.0.0/8:*")


def lay_out(folder: Path, authorities: int, relays: int, bridges: Sequence[str]) -> list[Node]:
    """Give every node a folder under `folder` and ports that are free now."""
    kinds: list[tuple[Kind, str]] = [("authority", f"authority{n}") for n in range(authorities)]
    kinds += [("relay", f"relay{n}") for n in range(relays)]
    kinds += [("obfs4" if kind == "obfs4" else "vanilla", f"bridge{n}") for n, kind in enumerate(bridges)]
    ports = free_ports(2 * len(kinds))
    nodes = []
    for kind, name in kinds:
        place = folder / name
        (place / "keys").mkdir(parents=True, mode=0o700)
        place.chmod(0o700)
        nodes.append(Node(kind, name, place.resolve(), ports.pop(), ports.pop()))
    return nodes


def free_ports(count: int) -> list[int]:
    """`count` TCP ports below the range from which the kernel gives outgoing connections theirs."""
    chooser = random.SystemRandom()
    ports: set[int] = set()
    while len(ports) < count:
        port = chooser.randrange(12_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
        ports.add(port)
    return list(ports)


@dataclass(frozen=True, slots=True)
class Network:
    """The executables all nodes run, and the environment they run in."""

    binary: Path
    gencert: Path
    environment: Mapping[str, str] | None

    async def make_keys(self, node: Node) -> None:
        """Make the keys of an authority or a relay and fill in its fingerprints."""
        if node.is_authority:
            await self._make_authority_keys(node)
        output = await self._run(
            [
                *(str(self.binary), "--ignore-missing-torrc", "-f", str(node.folder / "none")),
                *("--defaults-torrc", "/dev/null", "--list-fingerprint", "--ORPort", str(node.or_port)),
                *("--DataDirectory", str(node.folder), "--Nickname", node.name),
                # tor wants some authority before it tells its own fingerprint; this one is never asked
                *("--DirAuthority", f"nobody {HOST}:1 {'F' * 40}", "--Log", "err stderr"),
            ]
        )
        node.fingerprint = output.rsplit(node.name, 1)[1].replace(" ", "").strip()

    async def _make_authority_keys(self, node: Node) -> None:
        keys = node.folder / "keys"
        await self._run(
            [
                *(str(self.gencert), "--create-identity-key", "--passphrase-fd", "0", "-m", "12"),
                *("-a", f"{HOST}:{node.dir_port}"),
                *("-i", str(keys / "authority_identity_key")),
                *("-s", str(keys / "authority_signing_key")),
                *("-c", str(keys / "authority_certificate")),
            ]
        )
        certificate = (keys / "authority_certificate").read_text()
        node.identity = certificate.split("\nfingerprint ", 1)[1].split("\n", 1)[0].strip()

    def directory_lines(self, nodes: Sequence[Node]) -> list[str]:
        """The line by which everybody knows each authority."""
        return [
            f"DirAuthority {node.name} orport={node.or_port} no-v2 v3ident={node.identity} "
            f"{HOST}:{node.dir_port} {node.fingerprint}"
            for node in nodes
            if node.is_authority
        ]

    def roles(self, nodes: Sequence[Node]) -> list[str]:
        """What every authority votes for: guards and exits are the authorities, and only they."""
        chosen = ",".join(f"${node.fingerprint}" for node in nodes if node.is_authority)
        return [
            *(f"TestingDirAuthVoteGuard {chosen}", "TestingDirAuthVoteGuardIsStrict 1"),
            *(f"TestingDirAuthVoteExit {chosen}", "TestingDirAuthVoteExitIsStrict 1"),
        ]

    def weigh(self, nodes: Sequence[Node]) -> None:
        """Make the relays worth the same and far more than authorities, in the file that authorities read.

        Left to themselves they believe what a node says it has carried. Where one alone has carried anything
        at a vote it becomes everybody's guard and everybody's rendezvous point, for up to a minute, and no
        relay extends a circuit back to where it comes from: no onion can be reached then. So relays are
        rendezvous points, by their weight, and authorities are guards and exits, by `roles`.
        """
        rows = [f"node_id=${node.fingerprint} bw={WORTH}" for node in nodes if not node.is_bridge]
        nodes[0].bandwidths.write_text("\n".join([str(int(time.time())), *rows, ""]))

    def start(self, node: Node, directory: Sequence[str]) -> child.Child:
        """Write the node's torrc and start it; it prints into `notices.log` in its folder."""
        torrc = node.folder / "torrc"
        torrc.write_text("\n".join(node.torrc(directory)) + "\n")
        command = [str(self.binary), "--defaults-torrc", "/dev/null", "-f", str(torrc)]
        with (node.folder / "notices.log").open("wb") as log:
            return child.start(command, environment=self.environment, output=log)

    async def _run(self, command: Sequence[str]) -> str:
        environment = None if self.environment is None else dict(self.environment)
        run = partial(trio.run_process, list(command), stdin=b"not secret\n", env=environment)
        with trio.fail_after(KEY_SECONDS):
            done = await run(capture_stdout=True, stderr=subprocess.DEVNULL)
        return str(done.stdout.decode())


async def count_usable(dir_port: int) -> int:
    """How many nodes the authority's present consensus lists with every flag an onion needs."""
    try:
        stream = await trio.open_tcp_stream(HOST, dir_port)
    except OSError:
        return 0
    document = bytearray()
    with trio.move_on_after(5):
        async with stream:
            await stream.send_all(b"GET /tor/status-vote/current/consensus-microdesc HTTP/1.0\r\n\r\n")
            async for chunk in stream:
                document += chunk
    flags = [
        line.split()[1:] for line in document.decode("utf-8", "replace").splitlines() if line[:2] == "s "
    ]
    return sum(1 for row in flags if set(row) >= USABLE_FLAGS)


def last_warning(log: Path) -> str | None:
    """What a node that ended had to say."""
    try:
        lines = log.read_text("utf-8", "replace").splitlines()
    except OSError:
        return None
    if not lines or "[err]" not in lines[-1]:
        return None
    return next((line.split("[warn] ", 1)[1] for line in reversed(lines) if "[warn] " in line), lines[-1])


def read_bridge_line(node: Node) -> str | None:
    """What a client writes after `Bridge`, as soon as the bridge has told its key."""
    try:
        fingerprint = (node.folder / "fingerprint").read_text().split()[1]
        if node.kind == "vanilla":
            return f"{HOST}:{node.or_port} {fingerprint}"
        state = (node.folder / "pt_state" / "obfs4_bridgeline.txt").read_text()
    except (OSError, IndexError):
        return None
    arguments = [word for line in state.splitlines() if line.startswith("Bridge ") for word in line.split()]
    certificate = [word for word in arguments if word.startswith(("cert=", "iat-mode="))]
    return " ".join(["obfs4", f"{HOST}:{node.dir_port}", fingerprint, *certificate])
