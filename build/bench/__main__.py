"""`make bench`: a box beside Redis and Mosquitto in the same run, as a table and as bench.json.

Options (`make bench ARGS=…`): --quick leaves out the million; --only NAME plays one scene.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any, Final

import artifacts
import boards
import channels
import people
import post
import report
import scenes

MANY: Final = 1_000_000
MANY_QUICK: Final = 100_000
SCENES: Final = ("artifacts", "work", "sweep", "people", "post", "channel", "boards", "growth")


def main() -> None:
    """Play the scenes, print the table, write the file."""
    options = _options()
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=_disk(options.folder)))
    figures: list[report.Figure] = []
    played: dict[str, Any] = {}
    try:
        for name in options.only or SCENES:
            figures += _play(name, folder, options, played)
            shutil.rmtree(folder)
            folder.mkdir()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    report.show(figures)
    options.out.write_text(json.dumps(report.as_json(figures, played), indent=1) + "\n")
    print(f"written: {options.out}")


def _play(name: str, folder: Path, options: Any, played: dict[str, Any]) -> list[report.Figure]:
    if name == "artifacts":
        _tell("start")
        return report.of_artifacts(folder)
    if name == "work":
        work = played[name] = scenes.work(folder, options.rounds, options.seconds, _tell)
        return report.of_work(work)
    if name == "sweep":
        sweep = played[name] = scenes.sweep(folder, scenes.EXPIRED, _tell)
        return report.of_sweep(sweep)
    if name == "people":
        found = played[name] = people.people(folder, _tell)
        return report.of_people(found)
    if name == "post":
        told = played[name] = post.post(folder, options.rounds, options.seconds, _tell)
        return report.of_post(told)
    if name == "boards":
        said = played[name] = boards.boards(folder, boards.POSTS, _tell)
        return report.of_boards(said)
    if name == "channel":
        talk = played[name] = channels.talk(folder, options.rounds, options.seconds, _tell)
        return report.of_channel(talk)
    many = MANY_QUICK if options.quick else MANY
    growth = played[name] = scenes.growth(folder, many, options.rounds, options.seconds, _tell)
    return report.of_growth(growth)


def _options() -> Any:
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("--quick", action="store_true", help="hold 100,000 envelopes instead of a million")
    parser.add_argument("--rounds", type=int, default=3, help="interleaved rounds (3)")
    parser.add_argument("--seconds", type=float, default=4.0, help="length of a round (4)")
    parser.add_argument("--only", action="append", choices=SCENES, help="play only this; may be repeated")
    parser.add_argument("--folder", type=Path, help="a folder on the disk to be measured")
    parser.add_argument("--out", type=Path, default=artifacts.ROOT / "bench.json", help="the file to write")
    return parser.parse_args()


def _disk(folder: Path | None) -> Path:
    # Not the system's temporary folder: where that is kept in memory, an fsync costs nothing.
    chosen = folder or artifacts.ROOT / ".cache"
    chosen.mkdir(parents=True, exist_ok=True)
    return chosen


def _tell(words: str) -> None:
    print(f"bench: {words}", flush=True)


if __name__ == "__main__":
    main()
