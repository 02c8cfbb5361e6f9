"""What is played: the steady work beside Redis, a relay that holds very much, and one that must sweep."""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

from box import Box, Memory, clocked_island
from deposits import CONNECTIONS, Round, batch_load, fill, latencies, measure, spread_load, stream_load
from disk import sync_ms
from mail import drain
from push import Push, push
from yardstick import Redis

MAILBOXES: Final = 1000
DRAINED: Final = 64_000
PUSHES_A_SECOND: Final = 200
FEW: Final = 10_000
EXPIRED: Final = 100_000
SWEEP_SECONDS: Final = 90.0
SETTLE_SECONDS: Final = 2.0

Tell = Callable[[str], None]


class Work(NamedTuple):
    """The rounds of the steady work, and the box's memory and space with it."""

    disk: list[tuple[float, float, float]]
    redis: list[Round]
    stream: list[Round]
    post: list[Round]
    spread: list[Round]
    drain: list[Round]
    push: list[Push]
    idle: Memory
    after: Memory
    held: int
    stored_octets: int


class Growth(NamedTuple):
    """Deposits by batches with few envelopes held and with many, in turn."""

    many: int
    at_few: list[Round]
    at_many: list[Round]
    stored_octets: int


class Sweep(NamedTuple):
    """Deposits on 64 streams while expired envelopes are swept out; and just before."""

    expired: int
    seconds: float
    deposits: int
    p50_ms: float
    p99_ms: float
    worst_ms: float
    before_p99_ms: float


def work(folder: Path, rounds: int, seconds: float, tell: Tell) -> Work:
    """Play every kind of steady work in each round, Redis first, so that noise meets all alike."""
    loads = {"stream": stream_load, "post": batch_load, "spread": spread_load}
    found: dict[str, list[Round]] = {name: [] for name in ("redis", *loads, "drain")}
    disk, pushes, space = [], [], []
    with Redis(folder / "redis") as redis, Box(folder / "box") as box:
        time.sleep(SETTLE_SECONDS)
        idle = box.memory()
        mailboxes = box.make_mailboxes(MAILBOXES)
        redis.set_values(CONNECTIONS, 1.0)  # learns how many requests fill a round
        for turn in range(rounds):
            disk.append(sync_ms(folder))
            tell(f"round {turn + 1} of {rounds}: Redis")
            found["redis"].append(redis.set_values(CONNECTIONS, seconds))
            for name, load in loads.items():
                tell(f"round {turn + 1} of {rounds}: {name}")
                found[name].append(measure(box, load(box, mailboxes), seconds))
            space.append((box.held(), box.stored_octets()))
            tell(f"round {turn + 1} of {rounds}: drain and push")
            drain(box, mailboxes)
            fill(box, mailboxes, DRAINED)
            found["drain"].append(drain(box, mailboxes))
            pushes.append(push(box, mailboxes[0], PUSHES_A_SECOND, seconds))
        time.sleep(SETTLE_SECONDS)
        after = box.memory()
    held, stored = space[0]
    return Work(disk, **found, push=pushes, idle=idle, after=after, held=held, stored_octets=stored)


def growth(folder: Path, many: int, rounds: int, seconds: float, tell: Tell) -> Growth:
    """A box that holds `many` against one that holds 10,000, made anew for each round."""
    with Box(folder / "many") as box:
        mailboxes = box.make_mailboxes(MAILBOXES)
    shutil.copytree(folder / "many", folder / "empty", ignore=_no_sockets)
    at_few, at_many = [], []
    with Box(folder / "many") as full:
        tell(f"filling a box with {many:,} envelopes")
        fill(full, mailboxes, many)
        stored = full.stored_octets()
        for turn in range(rounds):
            tell(f"growth: round {turn + 1} of {rounds}")
            few = folder / f"few-{turn}"
            shutil.copytree(folder / "empty", few)
            with Box(few) as box:
                fill(box, mailboxes, FEW)
                at_few.append(measure(box, batch_load(box, mailboxes), seconds))
            shutil.rmtree(few)
            at_many.append(measure(full, batch_load(full, mailboxes), seconds))
    return Growth(many, at_few, at_many, stored)


def sweep(folder: Path, expired: int, tell: Tell) -> Sweep:
    """Let envelopes expire at once under a load of 64 streams, and watch what that does to the load."""
    with Box(folder / "sweep", {"sweep_seconds": 1}, program=clocked_island()) as box:
        mailboxes = box.make_mailboxes(MAILBOXES)
        tell(f"filling a box with {expired:,} envelopes that will expire")
        fill(box, mailboxes, expired, hours=1)
        tell("sweep")
        load = stream_load(box, mailboxes)
        with ThreadPoolExecutor(1) as others:
            watch = others.submit(_expire, box)
            load.run(SWEEP_SECONDS, lambda: not watch.done())
            jump, end = watch.result()
    during = [sample.took for sample in load.samples if jump <= sample.at <= end]
    before = [sample.took for sample in load.samples if jump - 2 <= sample.at < jump]
    return Sweep(expired, end - jump, len(during), *latencies(during), latencies(before)[1])


def _expire(box: Box) -> tuple[float, float]:
    """Set the clock ahead after a while; when that was, and when the last expired envelope was gone."""
    time.sleep(2.5)
    jump = time.perf_counter()
    box.process.send_signal(signal.SIGUSR1)
    # What is deposited meanwhile is due days later.
    soon = (datetime.now(UTC) + timedelta(days=3)).date().isoformat()
    while time.perf_counter() - jump < SWEEP_SECONDS:
        time.sleep(0.1)
        if not any(day["day"] < soon for day in box.ask("GET", "/v1/relay/load")["days"]):
            return jump, time.perf_counter()
    raise RuntimeError("the sweep does not end")


def _no_sockets(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if name.endswith(".sock")]
