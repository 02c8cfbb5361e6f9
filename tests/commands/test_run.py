"""Settings given to `island run`."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.commands import exits
from appliance.commands.run import configured
from appliance.commands.shell import Failure


def test_options_make_a_config(tmp_path: Path) -> None:
    changes = (
        "relay-policy=open",
        "work_bits=4",
        "onion_pow=no",
        "bridges=obfs4 one,two",
        "bridges=obfs4 three",
    )
    config = configured(tmp_path, {"listen": "127.0.0.1:9"}, changes)
    assert (config.data, config.listen, config.relay_policy) == (tmp_path, "127.0.0.1:9", "open")
    assert (config.work_bits, config.onion_pow) == (4, False)
    assert config.bridges == ("obfs4 one,two", "obfs4 three")


@pytest.mark.parametrize(
    "change", ["levity=1", "data=/tmp", "work_bits=some", "relay_policy=everybody", "work_bits", "=1"]
)
def test_a_wrong_option_is_wrong_usage(tmp_path: Path, change: str) -> None:
    with pytest.raises(Failure) as caught:
        configured(tmp_path, {}, (change,))
    assert caught.value.code == exits.USAGE
