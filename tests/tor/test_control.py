"""The control connection against a scripted Tor: quoting, answers, refusals, events, a Tor that hangs."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

from tor import control
from tor.control import Control, ControlFailed, ControlRefused, arguments_of, quote
from tor.status import Event

HELLO = '250-PROTOCOLINFO 1\r\n250-AUTH METHODS=NULL\r\n250-VERSION Tor="0.4.9.11"\r\n250 OK\r\n'


class Script:
    """Answers commands by their beginning, everything else with 250 OK; remembers what it was told."""

    def __init__(self) -> None:
        self.answers: dict[str, str] = {"PROTOCOLINFO": HELLO}
        self.heard: list[str] = []
        self.stream: trio.SocketStream | None = None

    async def serve(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        async with stream:
            rest = b""
            async for chunk in stream:
                *lines, rest = (rest + chunk).split(b"\r\n")
                for line in lines:
                    self.heard.append(line.decode())
                    answer = next(
                        (text for key, text in self.answers.items() if line.decode().startswith(key)), None
                    )
                    await stream.send_all((answer if answer is not None else "250 OK\r\n").encode())


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
async def path(tmp_path: Path, script: Script, nursery: trio.Nursery) -> Path:
    place = tmp_path / "c"
    listener = trio.socket.socket(socket.AF_UNIX)
    await listener.bind(str(place))
    listener.listen()
    await nursery.start(trio.serve_listeners, script.serve, [trio.SocketListener(listener)])
    return place


@pytest.fixture
async def talk(path: Path) -> AsyncIterator[Control]:
    connected = await Control.connect(path)
    yield connected
    await connected.close()


def test_quoting() -> None:
    assert quote('80 unix:"/a b"') == '"80 unix:\\"/a b\\""'
    assert quote("back\\slash") == '"back\\\\slash"'
    for text in ("a\r\nSIGNAL SHUTDOWN", "a\0"):
        with pytest.raises(ValueError, match="control characters"):
            quote(text)


def test_status_lines() -> None:
    line = 'NOTICE BOOTSTRAP PROGRESS=45 TAG=requesting_descriptors SUMMARY="Asking for relay descriptors"'
    assert arguments_of(line)["PROGRESS"] == "45"
    assert arguments_of(line)["SUMMARY"] == "Asking for relay descriptors"
    assert arguments_of("") == {}


async def test_owns_and_listens(talk: Control, script: Script) -> None:
    assert "TAKEOWNERSHIP" in script.heard
    assert "SETEVENTS STATUS_CLIENT STATUS_GENERAL HS_DESC NETWORK_LIVENESS ORCONN" in script.heard


async def test_questions_are_always_fresh(talk: Control, script: Script) -> None:
    for number in ("1", "2"):
        script.answers["GETINFO"] = f"250-traffic/read={number}\r\n250-b=x=y\r\n250 OK\r\n"
        assert await talk.ask("traffic/read", "b") == {"traffic/read": number, "b": "x=y"}


async def test_commands(talk: Control, script: Script) -> None:
    await talk.set([("HiddenServiceDir", "/a b"), ("HiddenServicePort", '80 unix:"/c"')])
    await talk.reset("HiddenServiceDir")
    await talk.new_circuits()
    script.answers["ONION_CLIENT_AUTH_ADD"] = "252 Registered client and decrypted desc\r\n"
    script.answers["ONION_CLIENT_AUTH_REMOVE"] = "251 No credentials\r\n"
    await talk.add_key("abc", "a2V5")
    await talk.remove_key("abc")
    await talk.close_circuit("7")
    assert script.heard[-6:] == [
        'SETCONF HiddenServiceDir="/a b" HiddenServicePort="80 unix:\\"/c\\""',
        "RESETCONF HiddenServiceDir",
        "SIGNAL NEWNYM",
        "ONION_CLIENT_AUTH_ADD abc x25519:a2V5",
        "ONION_CLIENT_AUTH_REMOVE abc",
        "CLOSECIRCUIT 7",
    ]


async def test_circuits_of_a_purpose(talk: Control, script: Script) -> None:
    found = []
    for line in (
        "250+circuit-status=\r\n"
        "6 BUILT $A~a,$B~b BUILD_FLAGS=IS_INTERNAL PURPOSE=HS_SERVICE_INTRO HS_STATE=HSSI_ESTABLISHED\r\n"
        "7 LAUNCHED BUILD_FLAGS=IS_INTERNAL PURPOSE=HS_SERVICE_REND HS_STATE=HSSR_CONNECTING\r\n"
        "9 EXTENDED $A~a,$B~b PURPOSE=HS_SERVICE_REND REND_QUERY=abc\r\n.\r\n250 OK\r\n",
        "250-circuit-status=7 LAUNCHED PURPOSE=HS_SERVICE_REND\r\n250 OK\r\n",
        "250-circuit-status=\r\n250 OK\r\n",
    ):
        script.answers["GETINFO circuit-status"] = line
        found.append(await talk.circuits("HS_SERVICE_REND"))
    assert found == [["7", "9"], ["7"], []]


async def test_refusals(talk: Control, script: Script) -> None:
    script.answers["SETCONF"] = "513 Unacceptable option value\r\n"
    with pytest.raises(ControlRefused, match="Unacceptable"):
        await talk.set([("A", "b")])
    await talk.reset("A")  # the connection goes on


async def test_events(talk: Control, script: Script) -> None:
    assert script.stream is not None
    await script.stream.send_all(
        b'650 STATUS_GENERAL WARN CLOCK_SKEW SKEW="-14400" SOURCE="DIRSERV:192.0.2.1:80"\r\n'
        b"650 NOSUCHEVENT x\r\n"
        b"650 NETWORK_LIVENESS DOWN\r\n"
        b"650 ORCONN $" + b"B" * 40 + b" FAILED REASON=NOROUTE NCIRCS=1 ID=6\r\n"
        b"650 HS_DESC UPLOADED abc UNKNOWN $"
        + b"A" * 40
        + b"\r\n"
        + b"650 STATUS_CLIENT NOTICE BOOTSTRAP PROGRESS=10 TAG=conn_done\r\n"
    )
    with trio.fail_after(60):
        found = []
        while not found or found[-1].action != "BOOTSTRAP":
            found.append(await talk.events.receive())
    assert found[0].kind == "STATUS_GENERAL"
    assert found[0].arguments["SKEW"] == "-14400"
    assert found[0].severity == "WARN"
    kinds = [event.kind for event in found if event.kind != "NOSUCHEVENT"]
    assert kinds == ["STATUS_GENERAL", "NETWORK_LIVENESS", "ORCONN", "HS_DESC", "STATUS_CLIENT"]
    assert Event("NETWORK_LIVENESS", "DOWN") in found
    assert Event("ORCONN", "FAILED", arguments={"REASON": "NOROUTE"}) in found
    uploaded = next(event for event in found if event.kind == "HS_DESC")
    assert (uploaded.action, uploaded.arguments["ADDRESS"]) == ("UPLOADED", "abc")


async def test_a_flood_of_events_is_dropped_not_kept(talk: Control, script: Script) -> None:
    assert script.stream is not None
    for _ in range(2000):
        await script.stream.send_all(b"650 NETWORK_LIVENESS UP\r\n")
    await talk.reset("A")
    received = 0
    with trio.move_on_after(1):
        while True:
            await talk.events.receive()
            received += 1
            if received % 100 == 0:
                await trio.lowlevel.checkpoint()
    assert received <= 2000


async def test_a_tor_that_hangs(talk: Control, script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "ANSWER_SECONDS", 0.2)
    script.answers["GETINFO"] = ""
    with pytest.raises(ControlFailed, match="does not answer"):
        await talk.ask("traffic/read")


async def test_a_tor_that_ends(talk: Control, script: Script) -> None:
    assert script.stream is not None
    script.stream.socket.shutdown(socket.SHUT_RDWR)
    with pytest.raises(ControlFailed):
        await talk.ask("traffic/read")


async def test_a_wrong_password_closes_again(path: Path, script: Script) -> None:
    script.answers["AUTHENTICATE"] = "515 Authentication failed\r\n"
    with pytest.raises(ControlFailed):
        await Control.connect(path)
