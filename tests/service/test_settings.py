"""Settings: bounds, reset, what holds at once and what waits for a restart."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import trio

from appliance.config import Config
from appliance.protocol.desk import ChangeSettings
from appliance.service.caller import OPERATOR
from appliance.service.settings import FIXED, Settings
from tests.boxes import Net, running
from tests.services import House, refused


def settings_of(house: House, given: Mapping[str, Any] | None = None) -> Settings:
    config = house.config.with_values(given or {})
    return Settings(house.store, config, frozenset(given or {}))


async def change(settings: Settings, **values: object) -> bool:
    return (await settings.change(OPERATOR, ChangeSettings(values))).restart


async def test_a_live_change_is_heard_at_once_and_kept(house: House) -> None:
    settings, heard = settings_of(house), []
    settings.follow(lambda config: heard.append(config.ttl_max_hours))
    assert not await change(settings, ttl_max_hours=300, relay_policy="open")
    assert await change(settings, bridges="a\n b \n\n"), "Tor reads its bridges at the start"
    assert heard == [720, 300, 300]
    again = settings_of(house).config
    assert (again.ttl_max_hours, again.relay_policy, again.bridges) == (300, "open", ("a", "b"))


async def test_null_goes_back_to_the_default(house: House) -> None:
    settings = settings_of(house)
    await change(settings, ttl_max_hours=300, bridges="x")
    await change(settings, ttl_max_hours=None, bridges=None)
    assert settings.config == house.config == settings_of(house).config


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"no_such": 1}, "unknown_setting"),
        ({"ttl_max_hours": 0}, "bad_setting"),
        ({"ttl_max_hours": 721}, "bad_setting"),
        ({"ttl_max_hours": "many"}, "bad_setting"),
        ({"ttl_max_hours": True}, "bad_setting"),
        ({"ttl_max_hours": [1]}, "bad_setting"),
        ({"ttl_max_hours": 100}, "bad_setting"),  # less than the default time
        ({"relay_policy": "anarchy"}, "bad_setting"),
        ({"relay_policy": 1}, "bad_setting"),
        ({"onion_pow": "perhaps"}, "bad_setting"),
        ({"data": "/elsewhere"}, "bad_setting"),
        ({"listen": None}, "bad_setting"),
        ({"relays_wanted": 1, "work_bits": 21}, "bad_setting"),
    ],
)
async def test_a_bad_value_changes_nothing(house: House, values: dict[str, Any], code: str) -> None:
    settings = settings_of(house)
    with refused(code):
        await settings.change(OPERATOR, ChangeSettings(values))
    assert settings.config == house.config == settings_of(house).config


async def test_two_changes_at_once_both_hold(house: House) -> None:
    settings = settings_of(house)
    async with trio.open_nursery() as nursery:
        for name in ("relays_wanted", "sweep_batch", "collect_seconds"):
            nursery.start_soon(settings.change, OPERATOR, ChangeSettings({name: 7}))
    config = settings.config
    assert (config.relays_wanted, config.sweep_batch, config.collect_seconds) == (7, 7, 7)
    assert settings_of(house).config == config


async def test_what_is_not_live_waits_for_a_restart(house: House) -> None:
    settings = settings_of(house)
    assert await change(settings, relay_only=True)
    assert await change(settings, sweep_batch=9), "it still waits"
    assert not await change(settings, relay_only=False)
    await change(settings, relay_only=True)
    assert not (await settings_of(house).page()).restart


async def test_what_was_given_at_the_start_counts_more_than_what_was_kept(house: House) -> None:
    await change(settings_of(house), sweep_batch=9, collect_seconds=9)
    config = settings_of(house, {"sweep_batch": 50}).config
    assert (config.sweep_batch, config.collect_seconds) == (50, 9)


async def test_the_page_shows_every_setting_but_the_fixed_ones(house: House) -> None:
    rows = {row.name: row for row in (await settings_of(house).page()).settings}
    assert set(rows) == {name for name in Config.__dataclass_fields__ if name not in FIXED}
    assert all(row.doc.endswith(".") for row in rows.values())
    assert rows["relay_policy"].choices == ["open", "invite", "peers", "closed"]
    assert rows["bridges"].default == "" and rows["relay_only"].live is False


async def test_a_running_box_obeys_at_once(tmp_path: Path) -> None:
    async with running(Net(), tmp_path / "box") as box:
        await box.desk.change_settings({"relay_policy": "closed", "relay_octets": 100_000})
        load = await box.desk.load()
        assert (load.policy, load.octets_limit) == ("closed", 100_000)
