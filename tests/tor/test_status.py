"""The sentences, what events change, and the revision that watchers wait for."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from appliance.protocol.desk import TorState
from tor import status
from tor.status import Board, Event, changes, skew_words, words

OWN = "a" * 56


def state(**fields: Any) -> TorState:
    return msgspec.structs.replace(TorState(phase="starting", percent=0, words=""), **fields)


@pytest.mark.parametrize(
    ("seconds", "sentence"),
    [
        (-4 * 3600, "Your clock is 4 hours behind; Tor needs it right."),
        (3600, "Your clock is 1 hour ahead; Tor needs it right."),
        (-3 * 86_400, "Your clock is 3 days behind; Tor needs it right."),
        (1500, "Your clock is 25 minutes ahead; Tor needs it right."),
        (-20, "Your clock is 20 seconds behind; Tor needs it right."),
        (-86_400 * 365, "Your clock is 365 days behind; Tor needs it right."),
        (0, "Your clock is 0 seconds ahead; Tor needs it right."),
    ],
)
def test_skew_in_words(seconds: int, sentence: str) -> None:
    assert skew_words(seconds) == sentence


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"phase": "off"}, "Tor is switched off in the settings."),
        ({"phase": "starting"}, "Starting Tor."),
        ({"phase": "bootstrapping", "percent": 45}, "Connecting to the Tor network: 45 %"),
        (
            {"phase": "bootstrapping", "percent": 5, "problem": status.NO_INTERNET},
            "Connecting to the Tor network: 5 %. The internet cannot be reached. "
            "Is the cable plugged in, or the Wi-Fi connected?",
        ),
        (
            {"phase": "bootstrapping", "percent": 5, "skew_seconds": -14_400, "problem": "x"},
            "Your clock is 4 hours behind; Tor needs it right.",
        ),
        ({"phase": "publishing"}, "Making this box known in the Tor network."),
        ({"phase": "publishing", "problem": "Locked."}, "Locked."),
        ({"phase": "reachable"}, "This box can be reached over Tor."),
        (
            {"phase": "reachable", "outdated": True, "age_days": 300},
            "This box can be reached over Tor. Its Tor is 300 days old; please update.",
        ),
        (
            {"phase": "reachable", "outdated": True},
            "This box can be reached over Tor. Its Tor is out of date; please update.",
        ),
        ({"phase": "restarting"}, "Tor stopped and is being started again."),
        ({"phase": "restarting", "problem": "Tor stopped: why."}, "Tor stopped: why."),
        ({"phase": "failed"}, "Tor cannot run."),
    ],
)
def test_state_in_words(fields: dict[str, Any], sentence: str) -> None:
    assert words(state(**fields)) == sentence


def test_bootstrap_goes_on() -> None:
    event = Event("STATUS_CLIENT", "BOOTSTRAP", arguments={"PROGRESS": "45", "TAG": "requesting_descriptors"})
    before = state(percent=10, problem="old")
    assert changes(event, before, OWN) == {"percent": 45, "phase": "bootstrapping", "problem": None}


def test_bootstrap_done_begins_to_publish() -> None:
    event = Event("STATUS_CLIENT", "BOOTSTRAP", arguments={"PROGRESS": "100"})
    assert changes(event, state(phase="bootstrapping", percent=95), OWN)["phase"] == "publishing"
    assert "phase" not in changes(event, state(phase="reachable", percent=100), OWN)


def test_trouble_is_named_when_tor_means_it() -> None:
    said = {"PROGRESS": "5", "REASON": "TIMEOUT", "RECOMMENDATION": "ignore"}
    event = Event("STATUS_CLIENT", "BOOTSTRAP", "WARN", said)
    assert "problem" not in changes(event, state(percent=5), OWN)
    event = Event("STATUS_CLIENT", "BOOTSTRAP", "WARN", {**said, "RECOMMENDATION": "warn"})
    assert "does not answer" in changes(event, state(percent=5), OWN)["problem"]
    event = Event(
        "STATUS_CLIENT", "BOOTSTRAP", "WARN", {"PROGRESS": "5", "REASON": "NEW", "RECOMMENDATION": "warn"}
    )
    assert changes(event, state(percent=5), OWN)["problem"] == "The connection to the Tor network fails."


def test_a_machine_without_a_way_out_is_named_at_once() -> None:
    failed = Event("ORCONN", "FAILED", arguments={"REASON": "NOROUTE"})
    assert changes(failed, state(), OWN) == {"problem": status.NO_INTERNET}
    assert changes(failed, state(phase="reachable"), OWN) == {}
    assert changes(Event("ORCONN", "FAILED", arguments={"REASON": "TIMEOUT"}), state(), OWN) == {}
    connected = Event("ORCONN", "CONNECTED", arguments={"REASON": ""})
    assert changes(connected, state(problem=status.NO_INTERNET), OWN) == {"problem": None}
    assert changes(connected, state(problem="Other."), OWN) == {}


def test_only_our_descriptor_counts() -> None:
    publishing = state(phase="publishing", percent=100)
    ours = Event("HS_DESC", "UPLOADED", arguments={"ADDRESS": OWN})
    assert changes(ours, publishing, OWN) == {"phase": "reachable"}
    assert changes(ours, state(phase="bootstrapping"), OWN) == {}
    assert changes(Event("HS_DESC", "UPLOADED", arguments={"ADDRESS": "b"}), publishing, OWN) == {}
    assert changes(Event("HS_DESC", "UPLOAD", arguments={"ADDRESS": OWN}), publishing, OWN) == {}


def test_clock_and_network() -> None:
    skew = Event("STATUS_GENERAL", "CLOCK_SKEW", "WARN", {"SKEW": "-14400", "SOURCE": "DIRSERV"})
    assert changes(skew, state(), OWN) == {"skew_seconds": -14_400}
    assert changes(Event("STATUS_GENERAL", "CLOCK_JUMPED"), state(), OWN) == {"skew_seconds": None}
    assert changes(Event("NETWORK_LIVENESS", "DOWN"), state(), OWN) == {"problem": status.NO_INTERNET}
    assert changes(Event("NETWORK_LIVENESS", "UP"), state(), OWN) == {"problem": None}


@pytest.mark.parametrize(
    "event",
    [
        Event("STATUS_CLIENT", "BOOTSTRAP"),
        Event("STATUS_CLIENT", "BOOTSTRAP", arguments={"PROGRESS": "x"}),
        Event("STATUS_GENERAL", "CLOCK_SKEW", arguments={"SKEW": "much"}),
        Event("STATUS_CLIENT", "ENOUGH_DIR_INFO"),
        Event("NEW", ""),
    ],
)
def test_other_events_change_nothing(event: Event) -> None:
    assert changes(event, state(), OWN) == {}


async def test_watchers_wake_on_a_difference_only(autojump_clock: trio.testing.MockClock) -> None:
    board, seen = Board(), []

    async def watch() -> None:
        revision = board.revision
        while True:
            revision = await board.wait_changed(revision)
            seen.append(board.state.percent)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch)
        await wait_all_tasks_blocked()
        board.change(percent=0)
        await wait_all_tasks_blocked()
        assert seen == []
        board.change(phase="bootstrapping", percent=10)
        await wait_all_tasks_blocked()
        board.change(percent=20)
        board.change(percent=30)
        await wait_all_tasks_blocked()
        assert seen == [10, 30]
        assert board.state.words == "Connecting to the Tor network: 30 %"
        nursery.cancel_scope.cancel()
