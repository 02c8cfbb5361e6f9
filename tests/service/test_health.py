"""Health: what is counted, and what is said of store, disk, Tor and tasks."""

from __future__ import annotations

import pytest
import trio

from appliance.protocol.desk import HealthRow, TorState
from appliance.service.health import MAX_ROWS, Health, memory_octets
from tests.services import House, Time

OFF = TorState(phase="off", percent=0, words="Tor is off.")


async def row(health: Health, name: str) -> HealthRow:
    return {row.name: row for row in (await health.report()).rows}[name]


async def test_refusals_and_faults_are_counted_within_bounds(house: House, clock: Time) -> None:
    health = Health(house.store, clock, lambda: OFF)
    for _ in range(3):
        health.count_refusal("POST /v1/deposit", "mailbox_full")
    for number in range(2 * MAX_ROWS):
        health.count_refusal(f"GET /{number}", "not_found")
    health.count_fault("here", ValueError("a secret"))
    health.count_fault("here", ValueError("another secret"))
    clock.now += 90
    report = await health.report()
    assert report.refusals["POST /v1/deposit mailbox_full"] == 3
    assert (len(report.refusals), report.faults, report.uptime_seconds) == (MAX_ROWS, 2, 90)
    assert "secret" not in str(health._faults)
    assert 10 << 20 < report.memory_octets == pytest.approx(memory_octets(), rel=0.2)


@pytest.mark.parametrize(
    ("tor", "state", "words"),
    [
        (OFF, "off", "Tor is off."),
        (TorState(phase="reachable", percent=100, words="Reachable."), "good", "Reachable."),
        (TorState(phase="failed", percent=0, words="Failed.", problem="No."), "bad", "Failed. No."),
        (TorState(phase="bootstrapping", percent=5, words="At 5 %."), "warning", "At 5 %."),
    ],
)
async def test_tor_is_told_in_its_own_words(
    house: House, clock: Time, tor: TorState, state: str, words: str
) -> None:
    found = await row(Health(house.store, clock, lambda: tor), "Tor")
    assert (found.state, found.words) == (state, words)


async def test_an_old_tor_is_an_alarm(house: House, clock: Time) -> None:
    old = TorState("reachable", 100, "Reachable.", "0.4.7.1", "system", 900, True)
    found = await row(Health(house.store, clock, lambda: old), "Tor version")
    assert found.state == "warning" and "900 days old" in found.words and "Update Tor" in found.words
    assert (await row(Health(house.store, clock, lambda: OFF), "Tor version")).state == "off"


async def test_a_task_that_fell_is_told(house: House, clock: Time, autojump_clock: object) -> None:
    health = Health(house.store, clock, lambda: OFF)
    times = 0

    async def falls() -> None:
        nonlocal times
        times += 1
        if times < 3:
            raise KeyError("x")
        await trio.sleep_forever()

    health.tasks.add("shaky", falls)
    assert (await row(health, "Tasks")).state == "good"
    health.tasks.add("steady", trio.sleep_forever)
    with trio.move_on_after(20):
        await health.tasks.run()
    found = await row(health, "Task “shaky”")
    assert "Started again 2 times; the last fault was KeyError" in found.words
    assert not [row for row in (await health.report()).rows if "steady" in row.name]
    assert (await health.report()).faults == 2
