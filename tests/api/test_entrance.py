from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.api.entrance import bind_loopback, bind_unix, read_proxy_line
from appliance.errors import Refusal

BAD_LINES = [
    b"",
    b"PROXY UNKNOWN",
    b"PROXY TCP4 127.0.0.1 127.0.0.1 24 80",
    b"PROXY TCP6 fc00:dead:beef:4dad::0:18 ::1 24",
    b"PROXY TCP6 fc00:dead:beef:4dad::0:18 ::1 24 80 ",
    b"PROXY TCP6 fc00:dead:beef:4dad::0:18  ::1 24 80",
    b"PROXY TCP6 fc00:dead:beef:4dae::0:18 ::1 24 80",
    b"PROXY TCP6 ::1 ::1 24 80",
    b"PROXY TCP6 fc00:dead:beef:4dad::0:18 ::1 -4 80",
    b"PROXY TCP6 fc00:dead:beef:4dad::0:18 ::1 24 65536",
    b"PROXY TCP6 fc00:dead:beef:4dad::0:18%1 ::1 24 80x",
    b"proxy TCP6 fc00:dead:beef:4dad::0:18 ::1 24 80",
    "PROXY TCP6 fc00:dead:beef:4dad::0:18 ::1 ٢٤ 80".encode(),
]


def test_the_circuit_is_the_end_of_the_address():
    assert read_proxy_line(b"PROXY TCP6 fc00:dead:beef:4dad::0:18 ::1 24 80") == 24
    assert read_proxy_line(b"PROXY TCP6 fc00:dead:beef:4dad::ffff:ffff ::1 65535 80") == 0xFFFFFFFF


@pytest.mark.parametrize("line", BAD_LINES)
def test_other_lines_are_refused(line):
    with pytest.raises(Refusal, match="malformed"):
        read_proxy_line(line)


@given(st.binary(max_size=120))
def test_any_bytes_end_in_a_value_or_a_refusal(line):
    try:
        assert 0 <= read_proxy_line(line) < 1 << 32
    except Refusal as refusal:
        assert refusal.code == "malformed"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "8.8.8.8", "example.org"])
def test_the_page_is_on_loopback_only(host):
    with pytest.raises(ValueError):
        bind_loopback(host, 0)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "localhost"])
def test_loopback_addresses_are_bound(host):
    entrance = bind_loopback(host, 0)
    assert entrance.listener.getsockname()[1]
    entrance.close()


def test_a_deep_data_folder_is_no_hindrance(tmp_path):
    folder = tmp_path / ("d" * 120)
    folder.mkdir()
    entrance = bind_unix("control", folder / "control.sock")
    assert (folder / "control.sock").is_socket()
    entrance.close()
    assert list(folder.iterdir()) == []
