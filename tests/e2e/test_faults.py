"""Faults of the world around a real box: a full disk, strangers who hold on, a second box on its folder."""

from __future__ import annotations

import select
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from appliance.client.desk import Desk
from appliance.client.relay import Relay
from appliance.client.stream import open_stream
from appliance.commands import exits
from appliance.errors import Refusal
from appliance.protocol.envelope import envelope_id
from tests.processes import WIDE, Box, Process, command, envelope, make_mailboxes, running, start

MIB = 1024 * 1024


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 128 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    line = ["mount", "-t", "tmpfs", "-o", "size=128m,mode=0700", "tmpfs", str(folder)]
    done = subprocess.run(line, check=False, capture_output=True, text=True)
    if done.returncode:
        pytest.fail(f"this test mounts a small tmpfs, which needs root: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def stuff(path: Path) -> None:
    """Take the last block of the disk."""
    with path.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
        while True:
            file.write(bytes(4096))


async def deposit_until_full(relay: Relay, box: Box) -> list[bytes]:
    """Deposit until the disk is full; the ids of what was acknowledged."""
    held: list[bytes] = []
    while True:
        envelopes = [envelope(16320) for _ in range(16)]
        try:
            (outcomes,) = (await relay.deposit(box.batch(envelopes))).groups
        except Refusal as refusal:
            assert (refusal.code, refusal.status) == ("disk_full", 507)
            return held
        assert {outcome.state for outcome in outcomes} == {"held"}
        held += map(envelope_id, envelopes)


async def test_a_full_disk_stops_deposits_only_and_only_while_it_is_full(small_disk: Path) -> None:
    async with running(small_disk / "box", *WIDE, "sweep_seconds=1") as process:
        (box,) = await make_mailboxes(process, 1)
        async with Relay(process.onion, process.host) as relay:
            stuff(small_disk / "stuffing")
            held = await deposit_until_full(relay, box)
            # Reading and removing go on, over HTTP and on a stream; the page says what is wrong.
            assert [envelope_id(one.envelope) for one in await box.fetch_all(relay)] == held
            async with open_stream(process.loopback, process.host) as stream:
                with pytest.raises(Refusal, match="disk_full"):
                    await stream.deposit(box.batch([envelope()]))
                first = (await stream.fetch(box.key, limit=8)).envelopes
                gone = [envelope_id(one.envelope) for one in first]
                assert (await stream.acknowledge(box.key, gone)).removed == len(gone)
            async with Desk(process.control) as desk:
                rows = {row.name: row for row in (await desk.health()).rows}
                assert rows["Disk"].state == "bad"
            # There is room again: deposits work, and nothing that was acknowledged was lost.
            (small_disk / "stuffing").unlink()
            fresh = envelope(16320)
            (outcomes,) = (await relay.deposit(box.batch([fresh]))).groups
            assert outcomes[0].state == "held"
            found = [envelope_id(one.envelope) for one in await box.fetch_all(relay)]
            assert found == [*held[len(gone) :], envelope_id(fresh)]
            async with Desk(process.control) as desk:
                assert (await desk.health()).faults == 0


async def test_a_box_that_was_stopped_on_a_full_disk_starts_on_it(small_disk: Path) -> None:
    async with running(small_disk / "box", *WIDE) as process:
        (box,) = await make_mailboxes(process, 1)
        async with Relay(process.loopback, process.host) as relay:
            stuff(small_disk / "stuffing")
            held = await deposit_until_full(relay, box)
    stuff(small_disk / "more")
    async with running(small_disk / "box", *WIDE) as process, Relay(process.loopback, process.host) as relay:
        found = [envelope_id(one.envelope) for one in await box.fetch_all(relay)]
        assert found == held
        for at in range(0, len(found), 64):
            await relay.acknowledge(box.key, found[at : at + 64])
        assert not await box.fetch_all(relay)


@asynccontextmanager
async def crowd(process: Process, number: int, first: bytes = b"") -> AsyncIterator[list[trio.SocketStream]]:
    """Connections of strangers, each on a circuit of its own, that send `first` and then nothing."""
    streams: list[trio.SocketStream] = []
    try:
        for circuit in range(number):
            stream = await trio.open_unix_socket(process.data / "onion.sock")
            streams.append(stream)
            await stream.send_all(b"PROXY TCP6 fc00:dead:beef:4dad::1:%x ::1 24 80\r\n" % circuit + first)
        yield streams
    finally:
        for stream in streams:
            await trio.aclose_forcefully(stream)


def is_cut(stream: trio.SocketStream) -> bool:
    """Whether the other side has closed the connection; nothing of it is read."""
    poll = select.poll()
    poll.register(stream.socket.fileno(), select.POLLHUP)
    return any(event & select.POLLHUP for _, event in poll.poll(0))


async def ended(stream: trio.SocketStream, seconds: float) -> bytes:
    """What comes until the box closes the connection."""
    heard = b""
    with trio.fail_after(seconds):
        try:
            while data := await stream.receive_some(1 << 16):
                heard += data
        except trio.BrokenResourceError:
            pass
    return heard


async def test_a_thousand_idle_connections_harm_no_bystander_and_are_closed(tmp_path: Path) -> None:
    async with running(tmp_path / "box", "head_seconds=8") as process:
        (box,) = await make_mailboxes(process, 1)
        async with crowd(process, 1000) as idle, Relay(process.onion, process.host) as bystander:
            for _ in range(20):
                with trio.fail_after(6):  # who had to wait for them would wait longer
                    await bystander.deposit(box.batch([envelope()]))
            assert len(await box.fetch_all(bystander)) == 20
            async with trio.open_nursery() as nursery:
                for stream in idle:
                    nursery.start_soon(ended, stream, 120)
        async with Desk(process.control) as desk:
            health = await desk.health()
            assert health.faults == 0 and health.memory_octets < 120 * MIB


@pytest.mark.parametrize(
    "half",
    [
        b"POST /v1/deposit HTTP/1.1\r\nhost: %s\r\ncontent-type: application/cbor\r\n"
        b"content-length: 1000\r\n\r\nhalf",
        b"POST /v1/deposit HTTP/1.1\r\nhost: %s\r\ncontent-type: application/cbor\r\n"
        b"transfer-encoding: chunked\r\n\r\n10\r\nhalf",
        b"GET /v1/relay HTTP/1.1\r\nhost: %s\r\nx-half: ",
    ],
    ids=["body", "chunk", "head"],
)
async def test_who_sends_half_a_request_is_told_and_cut(tmp_path: Path, half: bytes) -> None:
    async with running(tmp_path / "box", "head_seconds=3", "body_seconds=3") as process:
        (box,) = await make_mailboxes(process, 1)
        async with (
            crowd(process, 200, half % process.host.encode()) as slow,
            Relay(process.onion, process.host) as bystander,
        ):
            await bystander.deposit(box.batch([envelope()]))
            for stream in slow:
                assert (await ended(stream, 120)).startswith(b"HTTP/1.1 408")
            await bystander.deposit(box.batch([envelope()]))
        async with Desk(process.control) as desk:
            assert (await desk.health()).faults == 0


async def test_who_does_not_read_is_cut_and_nobody_waits_for_them(tmp_path: Path) -> None:
    async with running(tmp_path / "box", *WIDE, "write_seconds=6", "circuit_requests=1000") as process:
        (box,) = await make_mailboxes(process, 1)
        ask = b"GET /v1/errors HTTP/1.1\r\nhost: %s\r\n\r\n" % process.host.encode()
        async with (
            crowd(process, 20, ask * 200) as deaf,
            Relay(process.onion, process.host) as bystander,
        ):
            with trio.fail_after(120):
                while not all(map(is_cut, deaf)):
                    with trio.fail_after(5):
                        await bystander.deposit(box.batch([envelope()]))
                    await trio.sleep(0.2)
            for stream in deaf:
                whole = await ended(stream, 120)
                assert whole.count(b"HTTP/1.1 200") < 200
        async with Desk(process.control) as desk:
            assert (await desk.health()).faults == 0


async def test_a_second_box_on_the_same_folder_says_so_and_ends(tmp_path: Path) -> None:
    async with running(tmp_path / "box") as process:
        second = await trio.run_process(
            command(tmp_path / "box"), capture_stdout=True, capture_stderr=True, check=False
        )
        assert second.returncode == exits.IN_USE
        said = (second.stdout + second.stderr).decode().strip()
        assert len(said.splitlines()) == 1 and "Another box runs on this data folder" in said
        # The first has not noticed: both its sockets still answer.
        async with Desk(process.control) as desk:
            assert (await desk.state()).claimed
        async with Relay(process.onion, process.host) as relay:
            await relay.info()


async def test_a_taken_port_says_so_and_leaves_no_box_behind(tmp_path: Path) -> None:
    async with running(tmp_path / "box") as process:
        line = [sys.executable, "-m", "appliance", "run", "--json", "--tor", "off", "--data"]
        line += [str(tmp_path / "other"), "--listen", process.ready["url"][len("http://") :].rstrip("/")]
        second = await trio.run_process(line, capture_stdout=True, capture_stderr=True, check=False)
        assert second.returncode == exits.PORT_TAKEN
        assert len((second.stdout + second.stderr).decode().strip().splitlines()) == 1
    assert not (tmp_path / "other" / "control.sock").exists()


async def test_a_killed_box_leaves_nothing_that_stops_the_next(tmp_path: Path) -> None:
    first = await start(tmp_path / "box")
    await first.kill()
    assert (tmp_path / "box" / "control.sock").is_socket()
    async with running(tmp_path / "box") as second:
        assert second.host == first.host
    assert not (tmp_path / "box" / "control.sock").exists()
