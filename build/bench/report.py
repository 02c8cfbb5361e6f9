"""Figures against their targets: one row each, as a table to read and as JSON."""

from __future__ import annotations

import platform
import statistics
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import artifacts
import boards
import broker
import channels
import yardstick
from boards import BoardFigures
from box import island
from deposits import Round
from people import ACCOUNTS, RECORDS, TAKERS, People, Times
from post import A_SECOND, ONLINE, Post
from rich.console import Console
from rich.table import Table
from scenes import Growth, Sweep, Work

MIB: Final = 1024 * 1024


class Figure(NamedTuple):
    """One measured value; `bound` is the target, if there is one, and `detail` says how it came about."""

    name: str
    value: float
    unit: str
    bound: float | None = None
    sense: Literal["at least", "at most"] = "at least"
    detail: str = ""

    def met(self) -> bool | None:
        """Whether the target is met; None without one."""
        if self.bound is None:
            return None
        return self.value >= self.bound if self.sense == "at least" else self.value <= self.bound


def of_work(work: Work) -> list[Figure]:
    """The steady work: rates beside Redis, drain, push, space, memory."""
    redis = _median(work.redis, lambda round: round.rate)
    stored = work.stored_octets / work.held
    stream, post = _rate(work.stream), _rate(work.post)
    mapped = f"and {work.after.mapped / MIB:.0f} MiB of database pages, which the system may drop"
    sync = [statistics.median(times[at] for times in work.disk) for at in (0, 1)]
    worse = f"rounds {', '.join(_shown(times[0]) for times in work.disk)}; p99 {sync[1]:.2f} ms"
    return [
        Figure("disk, one fdatasync", sync[0], "ms", detail=worse),
        Figure("Redis, SET with fsync", redis, "/s", detail=_detail(work.redis)),
        Figure("stream, one outstanding", stream, "/s", detail=_detail(work.stream)),
        Figure("stream ÷ Redis", stream / redis, "×", 0.2, detail=_ratios(work.stream, work.redis)),
        Figure("POST, batches of 64", post, "/s", detail=_detail(work.post)),
        Figure("POST ÷ Redis", post / redis, "×", 0.7, detail=_ratios(work.post, work.redis)),
        Figure("POST, 64 recipients each", _rate(work.spread), "/s", detail=_detail(work.spread)),
        Figure("drain", _rate(work.drain), "/s", 30_000, detail=_detail(work.drain)),
        Figure("push, p50", _push(work, 0), "ms", 2, "at most", _looks(work)),
        Figure("push, p99", _push(work, 1), "ms", 15, "at most", _spread([p.envelope[1] for p in work.push])),
        Figure("stored per envelope", stored, "B", 2700, "at most", f"{work.held:,} envelopes of 1,984 B"),
        Figure("memory, idle", work.idle.own / MIB, "MiB", 70, "at most"),
        Figure("memory, after the run", work.after.own / MIB, "MiB", 120, "at most", mapped),
    ]


def of_growth(growth: Growth) -> list[Figure]:
    """Deposits into a full relay."""
    few, many = _rate(growth.at_few), _rate(growth.at_many)
    stored = growth.stored_octets / growth.many
    return [
        Figure("POST with 10,000 held", few, "/s", detail=_detail(growth.at_few)),
        Figure(f"POST with {growth.many:,} held", many, "/s", detail=_detail(growth.at_many)),
        Figure("growth", many / few, "×", 0.7, detail=_ratios(growth.at_many, growth.at_few)),
        Figure(f"stored with {growth.many:,} held", stored, "B", 2700, "at most"),
    ]


def of_sweep(sweep: Sweep) -> list[Figure]:
    """Deposits during a sweep."""
    detail = (
        f"64 streams, {sweep.deposits:,} deposits while {sweep.expired:,} went in {sweep.seconds:.1f} s; "
        f"p50 {sweep.p50_ms:.1f}, worst {sweep.worst_ms:.0f}, p99 before {sweep.before_p99_ms:.1f} ms"
    )
    return [Figure("deposit p99 in a sweep", sweep.p99_ms, "ms", 60, "at most", detail)]


def of_post(post: Post) -> list[Figure]:
    """Members' dispatches beside deposits on relay streams, and how soon a device hears of one."""
    redis, stream, dispatch = _rate(post.redis), _rate(post.stream), _rate(post.dispatch)
    p50, p99, worst = (statistics.median(one[at] for one in post.events) for at in range(3))
    answer = statistics.median(one[0] for one in post.answers)
    how = f"{ONLINE} devices, {A_SECOND} dispatches/s of 4,032 B, each settled; answer p50 {answer:.1f} ms"
    return [
        Figure("deposit on a stream", stream, "/s", detail=_detail(post.stream)),
        Figure("dispatch on an event socket", dispatch, "/s", detail=_detail(post.dispatch)),
        Figure("Redis, SET with fsync", redis, "/s", detail=_detail(post.redis)),
        Figure("dispatch ÷ Redis", dispatch / redis, "×", 0.2, detail=_ratios(post.dispatch, post.redis)),
        Figure("dispatch ÷ deposit", dispatch / stream, "×", detail=_ratios(post.dispatch, post.stream)),
        Figure("dispatch to event, p50", p50, "ms", 10, "at most", how),
        Figure("dispatch to event, p99", p99, "ms", detail=f"worst {worst:.0f} ms"),
    ]


def of_channel(talk: channels.Talk) -> list[Figure]:
    """A message to a channel whose members are all online."""
    p50, p99, worst = (statistics.median(one[at] for one in talk.last) for at in range(3))
    answer, first = (statistics.median(one[0] for one in times) for times in (talk.answers, talk.first))
    rate = f"{channels.A_SECOND} messages/s of {channels.OCTETS:,} B"
    how = f"{channels.ONLINE} online, {rate}; first p50 {first:.1f}, answer {answer:.1f} ms"
    work = f"rounds {', '.join(_shown(one) for one in talk.cpu_us)}; the box's processor time, all of it"
    beside = statistics.median(one[0] for one in talk.broker)
    ratios = ", ".join(f"{own[0] / other[0]:.2f}" for own, other in zip(talk.last, talk.broker, strict=True))
    kept = f"rounds {ratios}; the box seals and keeps each message, Mosquitto keeps none"
    return [
        Figure("channel to its last member, p50", p50, "ms", 10, "at most", how),
        Figure("channel to its last member, p99", p99, "ms", detail=f"worst {worst:.0f} ms"),
        Figure(
            "Mosquitto to its last subscriber, p50", beside, "ms", detail=f"{channels.ONLINE} of them, {rate}"
        ),
        Figure("channel ÷ Mosquitto", p50 / beside, "×", 3.3, "at most", kept),
        Figure("work for each delivery", statistics.median(talk.cpu_us), "µs", detail=work),
    ]


def of_people(people: People) -> list[Figure]:
    """Look-ups, prekeys and a large vault."""
    alone, together, taking = people.look_up, people.look_ups_together, people.taking
    waits = f"p50 {taking.p50_ms:.1f}, p99 {taking.p99_ms:.1f} ms"
    return [
        Figure("look-up, p50", alone.p50_ms, "ms", detail=f"{ACCOUNTS:,} accounts, one asker, with proof"),
        Figure("look-up, p99", alone.p99_ms, "ms"),
        Figure("look-ups, 16 askers", together.rate, "/s", detail=f"p99 {together.p99_ms:.1f} ms"),
        Figure(f"prekeys handed out, {TAKERS} takers", taking.rate, "/s", detail=waits),
        Figure(f"vault of {RECORDS:,} records, read", people.opening_seconds, "s"),
    ]


def of_boards(found: BoardFigures) -> list[Figure]:
    """A large board beside an empty one."""
    full, empty = statistics.median(found.at_full), statistics.median(found.at_empty)
    ratios = ", ".join(f"{at / beside:.2f}" for at, beside in zip(found.at_full, found.at_empty, strict=True))
    work_full, work_empty = statistics.median(found.work_at_full), statistics.median(found.work_at_empty)
    held, long = f"of {found.posts:,} posts", f"of {boards.LONGEST:,} posts"
    opening, search = found.opening, found.search
    paging, jumping, drawing = found.paging, found.jumping, found.drawing
    return [
        Figure("posting on an empty board", empty, "/s", detail="signed, indexed in the background"),
        Figure(
            "work for a post on a full board", work_full, "µs", detail=f"on an empty one {work_empty:.0f} µs"
        ),
        Figure(
            "posting on a full ÷ an empty board", full / empty, "×", 0.7, detail=f"{held}; rounds {ratios}"
        ),
        Figure("a thread of 50 opened, p99", opening.p99_ms, "ms", 20, "at most", _p50(opening, held)),
        Figure("threads listed, p99", found.listing.p99_ms, "ms", 20, "at most", _p50(found.listing, held)),
        Figure("search, p99", search.p99_ms, "ms", 50, "at most", _p50(search, held)),
        Figure("a page of a long thread, p99", paging.p99_ms, "ms", 20, "at most", _p50(paging, long)),
        Figure("a jump in a long thread, p99", jumping.p99_ms, "ms", 40, "at most", _p50(jumping, long)),
        Figure("its page without scripts, p99", drawing.p99_ms, "ms", 40, "at most", _p50(drawing, long)),
        Figure("indexing", found.indexing, "/CPU-s", detail="in the background, 25 posts at a time"),
        Figure("stored per post", found.stored_octets / found.posts, "B", detail="40 words, with the index"),
    ]


def _p50(measured: Times, held: str) -> str:
    cpu = f"{measured.cpu_p50_ms:.1f} and {measured.cpu_p99_ms:.1f} ms"
    return f"{held}; p50 {measured.p50_ms:.1f} ms; of the processor p50 and p99 {cpu}"


def of_artifacts(folder: Path) -> list[Figure]:
    """Executable and page, as far as they are built; the checkout's own start in any case."""
    figures = [Figure("start, from the checkout", artifacts.start_seconds(island(), folder), "s")]
    frozen = artifacts.executable()
    if frozen is not None:
        seconds = artifacts.start_seconds([str(frozen)], folder / "frozen")
        figures.append(Figure("start, executable", seconds, "s", 0.6, "at most", frozen.name))
        figures.append(Figure("executable", frozen.stat().st_size / 1e6, "MB", 32, "at most"))
    bundle = artifacts.bundle_octets()
    if bundle is not None:
        figures.append(Figure("page, first load", bundle / 1000, "kB", 120, "at most", "gzipped"))
    return figures


def as_json(figures: Sequence[Figure], scenes: dict[str, Any]) -> dict[str, Any]:
    """The object of bench.json: figures, every round, and the machine."""
    return {
        "machine": f"{platform.machine()}, {platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "redis": yardstick.version(),
        "mosquitto": broker.version(),
        "figures": [{**figure._asdict(), "met": figure.met()} for figure in figures],
        "rounds": {name: _plain(scene) for name, scene in scenes.items()},
    }


def show(figures: Iterable[Figure]) -> None:
    """Print the table."""
    peers = f"Redis {yardstick.version()} (appendfsync always) and Mosquitto {broker.version()}"
    table = Table(title=f"Private Island beside {peers}")
    table.add_column("Figure")
    table.add_column("Value", justify="right")
    table.add_column("Target", justify="right")
    table.add_column("Met", justify="center")
    table.add_column("How it came about", overflow="fold")
    for figure in figures:
        sign = "≥" if figure.sense == "at least" else "≤"
        target = "" if figure.bound is None else f"{sign} {figure.bound:,g} {figure.unit}"
        met = {True: "[green]yes[/]", False: "[red]no[/]", None: ""}[figure.met()]
        table.add_row(figure.name, f"{_shown(figure.value)} {figure.unit}", target, met, figure.detail)
    Console().print(table)


def _shown(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _rate(rounds: Sequence[Round]) -> float:
    return _median(rounds, lambda round: round.rate)


def _median(rounds: Sequence[Round], of: Callable[[Round], float]) -> float:
    return statistics.median(of(round) for round in rounds)


def _detail(rounds: Sequence[Round]) -> str:
    p50, p99 = _median(rounds, lambda r: r.p50_ms), _median(rounds, lambda r: r.p99_ms)
    cpu = _median(rounds, lambda r: r.per_cpu_second)
    return f"{_spread([r.rate for r in rounds])}; p50 {p50:.1f}, p99 {p99:.1f} ms; {cpu:,.0f} per CPU-second"


def _ratios(rounds: Sequence[Round], beside: Sequence[Round]) -> str:
    return _spread([one.rate / other.rate for one, other in zip(rounds, beside, strict=True)])


def _spread(values: Sequence[float]) -> str:
    return "rounds " + ", ".join(_shown(value) for value in values)


def _push(work: Work, at: int) -> float:
    return statistics.median(push.envelope[at] for push in work.push)


def _looks(work: Work) -> str:
    looks = statistics.median(push.look[0] for push in work.push)
    rounds = _spread([push.envelope[0] for push in work.push])
    return f"from send to envelope in hand, {rounds}; to the word “look” {looks:.1f} ms"


def _plain(value: Any) -> Any:
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {name: _plain(entry) for name, entry in value._asdict().items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return value
