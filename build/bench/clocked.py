"""The box with a clock that jumps: each SIGUSR1 sets it two hours ahead, so that envelopes expire at will."""

from __future__ import annotations

import signal
import time
from types import FrameType
from typing import Final

JUMP_SECONDS: Final = 2 * 3600

_real = time.time
_ahead = 0


def _now() -> float:
    return _real() + _ahead


def _jump(number: int, frame: FrameType | None) -> None:
    global _ahead
    _ahead += JUMP_SECONDS


if __name__ == "__main__":
    # Before the box is imported: its services take the clock as they are made.
    time.time = _now
    signal.signal(signal.SIGUSR1, _jump)
    from appliance.__main__ import main

    main()
