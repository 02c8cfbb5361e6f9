"""A stamp holds as long as nothing that went into the step has changed."""

from __future__ import annotations

from pathlib import Path

import stamps


def test_a_step_is_fresh_until_an_input_changes(tmp_path: Path) -> None:
    source, stamp = tmp_path / "lock", tmp_path / "deep" / "stamp"
    source.write_text("one")
    key = stamps.digest([source, "3.11"])
    assert not stamps.fresh(stamp, key)
    stamps.write(stamp, key)
    assert stamps.fresh(stamp, stamps.digest([source, "3.11"]))
    assert not stamps.fresh(stamp, stamps.digest([source, "3.13"]))
    source.write_text("two")
    assert not stamps.fresh(stamp, stamps.digest([source, "3.11"]))


def test_inputs_do_not_run_into_each_other() -> None:
    assert stamps.digest(["ab", "c"]) != stamps.digest(["a", "bc"])
