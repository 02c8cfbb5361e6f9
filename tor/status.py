"""What Tor is doing, in words a person reads; told by Tor's events, watched by revision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
import trio

from appliance.protocol.desk import TorState

OFF: Final = "Tor is switched off in the settings."
NO_INTERNET: Final = "The internet cannot be reached. Is the cable plugged in, or the Wi-Fi connected?"

NO_WAY_OUT: Final = frozenset({"NOROUTE", "NETUNREACH"})
CONNECTING: Final = frozenset({"starting", "bootstrapping"})

_TROUBLE: Final[Mapping[str, str]] = {
    "NOROUTE": NO_INTERNET,
    "NETUNREACH": NO_INTERNET,
    "CONNECTREFUSED": "The Tor network refuses the connection. It may be blocked here; bridges can help.",
    "CONNECTRESET": "The connection to the Tor network is cut. It may be blocked here; bridges can help.",
    "TIMEOUT": "The Tor network does not answer. It may be blocked here; bridges can help.",
    "TLS_ERROR": "Something between this box and the Tor network disturbs it; bridges can help.",
    "IDENTITY": "A bridge or relay is not the one it should be; check the bridge lines.",
    "PT_MISSING": "The program for these bridges is missing or cannot run.",
    "RESOURCELIMIT": "This machine has no more open files or memory for Tor.",
}
_OTHER_TROUBLE: Final = "The connection to the Tor network fails."


@dataclass(frozen=True, slots=True)
class Event:
    """One event of Tor: its type, its action, and what it says."""

    kind: str
    action: str
    severity: str = "NOTICE"
    arguments: Mapping[str, str] = field(default_factory=dict)


class Board:
    """The present `TorState`. Owned by the supervisor; only trio's thread changes it."""

    def __init__(self) -> None:
        self.state = TorState(phase="starting", percent=0, words="Starting Tor.")
        self.revision = 0
        self._changed = trio.Event()

    def change(self, **fields: Any) -> None:
        """Set some fields of the state; its sentence follows, and watchers wake if anything differs."""
        state = msgspec.structs.replace(self.state, **fields)
        state = msgspec.structs.replace(state, words=words(state))
        if state == self.state:
            return
        self.state = state
        self.revision += 1
        self._changed.set()
        self._changed = trio.Event()

    async def wait_changed(self, revision: int) -> int:
        """Return the present revision as soon as it is another than `revision`."""
        while self.revision == revision:
            await self._changed.wait()
        return self.revision


def words(state: TorState) -> str:
    """The sentence for a state."""
    if state.phase == "off":
        return OFF
    if state.phase in ("failed", "restarting"):
        again = "Tor stopped and is being started again."
        return state.problem or ("Tor cannot run." if state.phase == "failed" else again)
    skew = "" if state.skew_seconds is None else skew_words(state.skew_seconds)
    if state.phase in ("starting", "bootstrapping"):
        progress = f"Connecting to the Tor network: {state.percent} %"
        return skew or ("Starting Tor." if state.phase == "starting" else _with(progress, state.problem))
    if state.phase == "publishing":
        return state.problem or _with("Making this box known in the Tor network.", skew)
    return _with("This box can be reached over Tor.", skew or state.problem or _old(state))


def skew_words(seconds: int) -> str:
    """How wrong the clock is: "Your clock is 4 hours behind; Tor needs it right."."""
    amount = abs(seconds)
    units = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))
    size, unit = next((row for row in units if amount >= row[0]), units[-1])
    count = round(amount / size)
    plural = "" if count == 1 else "s"
    return f"Your clock is {count} {unit}{plural} {'behind' if seconds < 0 else 'ahead'}; Tor needs it right."


def changes(event: Event, state: TorState, own: str) -> dict[str, Any]:
    """The fields of `state` that an event changes; `own` is our onion address without its ending."""
    arguments = event.arguments
    match event.kind, event.action:
        case "STATUS_CLIENT", "BOOTSTRAP":
            return bootstrap(arguments, state, warning=event.severity == "WARN")
        case (("STATUS_GENERAL" | "STATUS_CLIENT"), "CLOCK_SKEW"):
            skew = _integer(arguments.get("SKEW"))
            return {} if skew is None else {"skew_seconds": skew}
        case "STATUS_GENERAL", "CLOCK_JUMPED":
            return {"skew_seconds": None}
        case "HS_DESC", "UPLOADED" if arguments.get("ADDRESS") == own:
            return {"phase": "reachable"} if state.phase == "publishing" else {}
        case "ORCONN", "FAILED" if arguments.get("REASON") in NO_WAY_OUT and state.phase in CONNECTING:
            # Tor does not speak of its bootstrap before the first connection; a machine offline makes none.
            return {"problem": NO_INTERNET}
        case "ORCONN", "CONNECTED" if state.problem == NO_INTERNET:
            return {"problem": None}
        case "NETWORK_LIVENESS", "DOWN":
            return {"problem": NO_INTERNET}
        case "NETWORK_LIVENESS", "UP":
            return {"problem": None}
    return {}


def bootstrap(arguments: Mapping[str, str], state: TorState, *, warning: bool) -> dict[str, Any]:
    """What a bootstrap event, or the answer to `GETINFO status/bootstrap-phase`, changes."""
    percent = _integer(arguments.get("PROGRESS"))
    if percent is None:
        return {}
    found: dict[str, Any] = {"percent": percent}
    if warning:
        # Tor itself says from which failure on they mean something.
        if arguments.get("RECOMMENDATION") == "warn":
            found["problem"] = _TROUBLE.get(arguments.get("REASON", ""), _OTHER_TROUBLE)
    elif percent > state.percent:
        found["problem"] = None
    if percent < 100:
        found["phase"] = "bootstrapping"
    elif state.phase in ("starting", "bootstrapping"):
        found["phase"] = "publishing"
    return found


def _old(state: TorState) -> str | None:
    if not state.outdated:
        return None
    age = f"is {state.age_days} days old" if state.age_days is not None else "is out of date"
    return f"Its Tor {age}; please update."


def _with(sentence: str, more: str | None) -> str:
    return f"{sentence.removesuffix('.')}. {more}" if more else sentence


def _integer(text: str | None) -> int | None:
    try:
        return None if text is None else int(text)
    except ValueError:
        return None
