"""Timing: percentiles close to the truth, within bounded memory."""

from __future__ import annotations

import random

from appliance.service.timing import BOUNDS, MOST_ROUTES, Timing


def test_percentiles_are_close_to_the_truth() -> None:
    chance, timing = random.Random(3), Timing()
    taken = sorted(chance.lognormvariate(-6, 1) for _ in range(5000))
    for seconds in taken:
        timing.note("GET /v1/x", seconds)
    (row,) = timing.page()
    for part, told in ((0.5, row.p50_us), (0.95, row.p95_us), (0.99, row.p99_us)):
        assert 0.85 < told / (taken[int(part * len(taken))] * 1e6) < 1.15
    assert row.requests == 5000


def test_one_slow_answer_is_seen_and_nothing_is_too_long() -> None:
    timing = Timing()
    for seconds in (0.0, 1e-9, BOUNDS[-1], 1e9):
        timing.note("GET /v1/x", seconds)
    timing.note("GET /v1/y", 0.001)
    timing.refused("GET /v1/z")
    timing.failed("GET /v1/z")
    rows = timing.page()
    assert [row.route for row in rows] == ["GET /v1/x", "GET /v1/y", "GET /v1/z"]
    assert (rows[2].requests, rows[2].refused, rows[2].faults, rows[2].p99_us) == (0, 1, 1, 0)


def test_memory_is_bounded() -> None:
    timing = Timing()
    for number in range(2 * MOST_ROUTES):
        timing.note(f"GET /{number}", 0.001)
    assert len(timing.page()) == MOST_ROUTES
