"""The engine: one LMDB environment, one committer, group commits. Owns the data file and its lock.

Who touches what: inline reads and map growth happen on the trio thread only; writing happens in one worker
thread at a time, a batch of jobs to a commit (`handover`); cold reads happen in other threads and hold map
growth back while they last. A job is answered after the fsync of its batch. A transaction never crosses an
await, because jobs are plain functions.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar, cast

import lmdb
import outcome
import trio

from appliance.errors import Refusal
from appliance.store.handover import hand_over
from appliance.store.jobs import Chores, Entry, Full, Torn
from appliance.store.scrub import Known, Scrubbed, scrub
from appliance.store.space import Space, allocate, is_full, write_new
from appliance.store.transaction import LmdbTransaction, Table, Transaction

__all__ = ["Store", "Table", "Transaction"]

T = TypeVar("T")

DATA_FILE = "store.mdb"
LOCK_FILE = "store.lock"
READERS_FILE = "store.mdb-lock"
READERS_OCTETS = 32 * 1024
QUEUE_LIMIT = 4096
"""Jobs that may wait; who comes later waits for a place first."""
BATCH_JOBS = 1024
BATCH_OCTETS = 8 * 1024 * 1024
BATCH_SECONDS = 0.05
"""A batch ends at any of these, so that nobody waits long for the work of others."""
FIRST_MAP = 16 * 1024**3
LARGEST_MAP = 16 * 1024**4

Outcomes = list[outcome.Outcome[Any]]


class Store:
    """One open data folder. Make it with `Store.open`, start `run` in a nursery, `close` it last."""

    def __init__(self, env: lmdb.Environment, tables: Mapping[str, Any], space: Space, lock: int, top: int):
        self._env = env
        self._tables = tables
        self._space = space
        self._lock = lock
        self._largest_map = top
        self._page = int(env.stat()["psize"])
        self._queue: deque[Entry] = deque()
        self._bell = trio.lowlevel.ParkingLot()
        self._chores = Chores(self._bell)
        self._places = trio.lowlevel.ParkingLot()
        self._running = False
        self._ended = False
        self._cold = 0
        self._growing = False
        self._grown = trio.lowlevel.ParkingLot()
        self._quiet = trio.lowlevel.ParkingLot()
        self._readers = trio.CapacityLimiter(4)
        self._fit_map()

    @classmethod
    def open(
        cls,
        folder: Path,
        tables: tuple[Table, ...],
        *,
        map_size: int = FIRST_MAP,
        largest_map: int = LARGEST_MAP,
        reserve: int = 16 * 1024 * 1024,
    ) -> Store:
        """Open or make the store in `folder`; sizes in bytes. Refusals: in_use, damaged_store, disk_full."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            raise Refusal("in_use") from None
        with ExitStack() as closing:
            closing.callback(os.close, lock)
            closing.enter_context(_refusing())
            # LMDB maps its file of readers: a block of it that the disk cannot give would be a bus error.
            allocate(folder / READERS_FILE, READERS_OCTETS)
            env, opened = _environment(folder / DATA_FILE, tables, map_size)
            closing.callback(env.close)
            space = Space(folder / DATA_FILE, reserve)
            store = cls(env, opened, space, lock, max(largest_map, map_size))
            closing.pop_all()
            return store

    def close(self) -> None:
        """Close the files; every later use is an error."""
        self._ended = True
        self._env.close()
        self._space.close()
        os.close(self._lock)

    # Reading

    def read(self, job: Callable[[Transaction], T]) -> T:
        """Run `job` on a snapshot, at once, on the trio thread: for a few hot rows (under a microsecond)."""
        with self._env.begin() as txn:  # renews one of the spare read transactions
            return job(LmdbTransaction(txn, self._tables))

    async def read_cold(self, job: Callable[[Transaction], T]) -> T:
        """Run `job` on a snapshot in a thread: for many rows, or pages that may be on the disk only."""
        async with self._cold_read():
            return await trio.to_thread.run_sync(self.read, job, limiter=self._readers)

    async def copy(self, path: Path) -> None:
        """Write a compact, consistent copy of the data file to `path` while the store goes on."""
        async with self._cold_read():
            await trio.to_thread.run_sync(self.copy_now, path, limiter=self._readers)

    def copy_now(self, path: Path) -> None:
        """The same, at once, for the time before `run`."""
        write_new(path, lambda file: self._env.copyfd(file, compact=True))

    async def scrub(self, start: int, pages: int) -> Scrubbed:
        """Blank deleted octets on some pages of the data file, between two commits. Refusal busy."""

        def chore() -> Scrubbed:
            env = self._env
            return scrub(Path(env.path()), Known.of(env.info(), env.stat()), start, pages)

        return cast(Scrubbed, await self._chores.ask(chore))

    async def rinse(self) -> None:
        """Forget what LMDB keeps in memory of pages it wrote: gaps of later ones would show it again."""

        def chore() -> None:
            path, size = Path(self._env.path()), self._map()
            self._env.close()
            self._env, self._tables = _environment(path, self._tables, size)

        await self._chores.ask(chore, here=True)

    @asynccontextmanager
    async def _cold_read(self) -> AsyncIterator[None]:
        while self._growing:
            await self._grown.park()
        self._cold += 1
        try:
            yield
        finally:
            self._cold -= 1
            if not self._cold:
                self._quiet.unpark_all()

    # Space

    def used_bytes(self) -> int:
        """Bytes in pages that hold something now."""
        with self._env.begin() as txn:
            stats = [txn.stat(), *(txn.stat(table) for table in self._tables.values())]
        return self._page * sum(s["branch_pages"] + s["leaf_pages"] + s["overflow_pages"] for s in stats)

    def free_bytes(self) -> int:
        """Bytes that can still be filled: emptied pages, the stretch allocated ahead, the free disk."""
        end = self._end()
        disk = self._space.disk_free() + self._space.ahead(end)
        return max(0, end - self.used_bytes()) + min(disk, self._largest_map - end)

    def _end(self) -> int:
        return self._page * (int(self._env.info()["last_pgno"]) + 1)

    def _map(self) -> int:
        return int(self._env.info()["map_size"])

    def _room(self) -> int:
        """Bytes that are certain: allocated ahead and within the map; emptied pages if that is little."""
        end = self._end()
        room = min(self._space.extend(end), self._map() - end)
        return room if room >= self._space.reserve else room + max(0, end - self.used_bytes())

    def _wanted_map(self) -> int:
        """The map doubles when less than a quarter of it, or four reserves, is left."""
        size, end = self._map(), self._end()
        while size < self._largest_map and size - end < max(size // 4, 4 * self._space.reserve):
            size = min(2 * size, self._largest_map)
        return size

    def _fit_map(self) -> None:
        wanted = self._wanted_map()
        if wanted > self._map():
            self._env.set_mapsize(wanted)

    async def _grow(self) -> None:
        """Enlarge the map: on the trio thread, between transactions, when no cold read is open."""
        async with self._alone():
            self._env.set_mapsize(max(self._wanted_map(), min(2 * self._map(), self._largest_map)))

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """While no cold read is open."""
        self._growing = True
        try:
            while self._cold:
                await self._quiet.park()
            yield
        finally:
            self._growing = False
            self._grown.unpark_all()

    # Writing

    async def write(self, job: Callable[[Transaction], T], *, freeing: bool = False) -> T:
        """Run `job` in the next commit and answer after its fsync, with its value or its exception.

        The job may be run more than once, so it has no effect but on its transaction. `freeing` jobs give
        space back (acknowledge, sweep, delete) and go on when the disk is full; others are then refused.
        A cancelled caller either finds its job withdrawn or waits for the commit.
        """
        while len(self._queue) >= QUEUE_LIMIT and not self._ended:
            await self._places.park()
        if self._ended:
            raise Refusal("busy")
        entry = Entry(job, freeing, trio.lowlevel.current_task())
        self._queue.append(entry)
        if self._bell:
            self._bell.unpark()

        def withdraw(_: Any) -> trio.lowlevel.Abort:
            if entry.taken:
                return trio.lowlevel.Abort.FAILED
            self._queue.remove(entry)
            return trio.lowlevel.Abort.SUCCEEDED

        return cast(T, await trio.lowlevel.wait_task_rescheduled(withdraw))

    def write_now(self, job: Callable[[Transaction], T]) -> T:
        """Run and commit one job at once: for start-up only, before `run`."""
        if self._running:
            raise RuntimeError("the committer runs: use write()")
        with self._env.begin(write=True) as txn:
            return job(LmdbTransaction(txn, self._tables))

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """The committer: takes batches of jobs until cancelled; a fault of the disk ends it with an error."""
        self._running = True
        task_status.started()
        try:
            while True:
                await trio.lowlevel.checkpoint_if_cancelled()
                if self._chores:
                    with trio.CancelScope(shield=True):
                        async with self._alone():
                            await self._chores.do_one()
                elif not self._queue:
                    await self._bell.park()
                    continue
                with trio.CancelScope(shield=True):  # a batch once taken is answered
                    await self._commit_batch()
        finally:
            self._running = False
            self._ended = True
            for entry in self._queue:
                trio.lowlevel.reschedule(entry.task, outcome.Error(Refusal("busy")))
            self._queue.clear()
            self._chores.refuse()
            self._places.unpark_all()

    async def _commit_batch(self) -> None:
        batch = [self._queue.popleft() for _ in range(min(len(self._queue), BATCH_JOBS))]
        for entry in batch:
            entry.taken = True
        try:
            outcomes = await self._settle(batch)
        except BaseException:
            for entry in batch:
                trio.lowlevel.reschedule(entry.task, outcome.Error(Refusal("damaged_store")))
            raise
        for entry in batch[len(outcomes) :]:
            entry.taken = False
        self._queue.extendleft(reversed(batch[len(outcomes) :]))
        for entry, result in zip(batch, outcomes, strict=False):
            trio.lowlevel.reschedule(entry.task, result)
        if len(self._queue) < QUEUE_LIMIT:
            self._places.unpark_all()

    async def _settle(self, batch: list[Entry]) -> Outcomes:
        """Commit as much of the batch as fits one commit; enlarge the map where that is what lacks."""
        if self._wanted_map() > self._map():
            await self._grow()
        growth = True
        while True:
            try:
                return await hand_over(partial(self._commit, batch, growth), "commit")
            except Full as full:
                if full.map_full and self._map() < self._largest_map:
                    await self._grow()
                elif growth:
                    growth = False
                else:
                    return [outcome.Error(Refusal("disk_full")) for _ in batch]

    def _commit(self, batch: list[Entry], growth: bool, back: Callable[[], None]) -> Outcomes:
        # One flat transaction: nested ones cost 3 to 4 microseconds a job. What fails before it wrote (nearly
        # all refusals do) leaves nothing to undo; only where a job failed halfway are they run nested.
        growth = growth and self._room() >= self._space.reserve
        try:
            try:
                return self._attempt(batch, growth, back, nested=False)
            except Torn:
                return self._attempt(batch, growth, back, nested=True)
        except lmdb.MapFullError:
            raise Full(True) from None
        except lmdb.Error as error:
            # LMDB says "input/output error" for a write that the disk took in part.
            if is_full(error) or (error.code == errno.EIO and self._space.is_short()):
                self._space.measure()
                raise Full(False) from None
            raise

    def _attempt(self, batch: list[Entry], growth: bool, back: Callable[[], None], nested: bool) -> Outcomes:
        outcomes: Outcomes = []
        until = monotonic() + BATCH_SECONDS
        octets = 0
        with self._env.begin(write=True) as txn:
            handle = LmdbTransaction(txn, self._tables)
            for entry in batch:
                if not (growth or entry.freeing):
                    outcomes.append(outcome.Error(Refusal("disk_full")))
                    continue
                if octets > BATCH_OCTETS or monotonic() > until:
                    break
                if nested:
                    outcomes.append(self._run_nested(txn, entry))
                    continue
                before = handle.written
                try:
                    outcomes.append(outcome.Value(entry.job(handle)))
                except Exception as error:
                    if _is_fault(error):
                        raise
                    if handle.written != before:
                        raise Torn from None
                    outcomes.append(outcome.Error(error))
                octets = handle.written
            back()
        return outcomes

    def _run_nested(self, parent: lmdb.Transaction[bytes], entry: Entry) -> outcome.Outcome[Any]:
        try:
            with self._env.begin(write=True, parent=parent) as child:
                return outcome.Value(entry.job(LmdbTransaction(child, self._tables)))
        except Exception as error:
            if _is_fault(error):
                raise
            return outcome.Error(error)


def _environment(path: Path, tables: Iterable[str], map_size: int) -> tuple[lmdb.Environment, dict[str, Any]]:
    """The open data file with its tables; those that are new are made."""
    names = [str(table) for table in tables]
    # meminit stays on: without it, leftovers of the process's memory would reach the disk.
    env = lmdb.open(
        str(path),
        map_size=map_size,
        subdir=False,
        mode=0o600,
        readahead=False,
        max_readers=256,
        max_dbs=len(names) + 8,
        max_spare_txns=8,
    )
    with ExitStack() as closing:
        closing.callback(env.close)
        with env.begin(write=True) as txn:
            opened = {name: env.open_db(name.encode(), txn) for name in names}
        closing.pop_all()
    return env, opened


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except (lmdb.Error, OSError) as error:
        raise Refusal("disk_full" if is_full(error) else "damaged_store") from error


def _is_fault(error: Exception) -> bool:
    """Whether the database failed, and not the job (which may have used an impossible key)."""
    return isinstance(error, lmdb.Error) and not isinstance(error, lmdb.BadValsizeError)
