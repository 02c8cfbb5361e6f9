"""Nothing a box writes beside its store holds names, words, addresses or ids: not its output, not its files.

People with recognisable names do what people do, things go wrong on purpose, boxes are killed; then all that
the processes wrote is searched, as text and in the ways in which octets are written down.
"""

from __future__ import annotations

import base64
import os
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import trio

from appliance.client.http import Http
from appliance.client.moderation import Moderation
from appliance.demo.scene import Scene
from appliance.errors import Refusal
from appliance.protocol import codec
from appliance.protocol.account import ChangeMember, Invite, Member, NewInvite, Session
from appliance.protocol.codec import to_text
from appliance.protocol.desk import ChangeBranding
from appliance.protocol.moderation import CloseReport, NewReport
from tests import processes
from tests.households import Person

STORE = {"store.mdb", "store.mdb-lock", "store.lock", "machine.key"}
"""The store itself, and what belongs to it. All else is searched."""
READY = b'{"version"'
"""The line that tells whoever started the box where it answers; the only one that may name its address."""


def written(folders: Iterable[Path], logs: Iterable[Path]) -> dict[str, bytes]:
    """Everything that was written, by where it stands."""
    found = {}
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink() and path.name not in STORE:
                found[str(path)] = path.read_bytes()
    for log in logs:
        lines = log.read_bytes().splitlines(keepends=True)
        found[str(log)] = b"".join(line for line in lines if not line.startswith(READY))
    return found


def spellings(value: str | bytes) -> set[bytes]:
    """The ways in which a value could be written down."""
    octets = value.encode() if isinstance(value, str) else value
    forms = {octets, octets.hex().encode(), octets.hex().upper().encode(), repr(octets)[2:-1].encode()}
    forms |= {base64.b64encode(octets).rstrip(b"="), base64.urlsafe_b64encode(octets).rstrip(b"=")}
    forms |= {base64.b32encode(octets).rstrip(b"="), base64.b32encode(octets).rstrip(b"=").lower()}
    return {form for form in forms if len(form) >= 6}


def assert_silent(everything: dict[str, bytes], secrets: dict[str, str | bytes]) -> None:
    told = [
        (what, where)
        for where, text in everything.items()
        for what, value in secrets.items()
        if any(form in text for form in spellings(value))
    ]
    assert told == []


def test_what_is_written_would_be_found(tmp_path: Path) -> None:
    for number, form in enumerate(spellings(b"quillon\x00\xff")):
        (tmp_path / f"{number}.log").write_bytes(b"... " + form + b" ...")
    (tmp_path / "run.log").write_bytes(READY + b" quillon\n" + b"all is well\n")
    everything = written([tmp_path], [tmp_path / "run.log"])
    assert_silent({str(tmp_path / "run.log"): everything[str(tmp_path / "run.log")]}, {"name": "quillon"})
    for where, text in everything.items():
        if not where.endswith("run.log"):
            with pytest.raises(AssertionError):
                assert_silent({where: text}, {"id": b"quillon\x00\xff"})


async def test_a_box_says_nothing_of_its_people(tmp_path: Path) -> None:
    """Without Tor: accounts, guesses, bodies that are wrong, reports, the desk, a kill."""
    data = tmp_path / "box"
    settings = ("kdf_memory_kib=64", "kdf_passes=1", "work_bits=1", "work_memory_kib=64")
    people = {name: Person(name) for name in ("quillon", "vexmarch")}
    secrets: dict[str, str | bytes] = {
        "junk": "zanderby-in-a-path",
        "words": "harbourmaster",
        "label": "laptop",
    }
    async with processes.running(data, *settings) as box:
        async with processes.Desk(box.control) as desk:
            for name, person in people.items():
                made = await desk.http.call("POST", "/v1/invites", Invite, NewInvite(note="grindelwood"))
                code = made.code or ""
                secrets |= {f"{name} code": code, f"{name} account": person.account, f"{name} name": name}
                secrets |= {f"{name} key": person.key, f"{name} wrapped": person.wrapped}
                async with Http(box.onion) as http:
                    session = await http.call("POST", "/v1/accounts", Session, person.register(code))
                    secrets |= {f"{name} {cookie}": token for cookie, token in http.cookies.items()}
                    secrets[f"{name} session"] = session.session
            await misbehave(box, people["quillon"])
            async with Http(box.onion) as http:
                await http.call("POST", "/v1/session", Session, people["quillon"].sign_in())
                report = NewReport(os.urandom(16), "abuse", "harbourmaster", person="vexmarch")
                secrets["report"] = report.id
                await Moderation(http).report(report)
            await desk.moderation.close(report.id, CloseReport("done", answer="harbourmaster"))
            await desk.moderation.change_branding(
                ChangeBranding(box_name="Grindelwood", welcome="harbourmaster")
            )
            path = f"/v1/members/{to_text(people['vexmarch'].account)}"
            await desk.http.call("PATCH", path, Member, ChangeMember(suspended=True, reason="harbourmaster"))
            await desk.minimise()
            assert [one.name for one in await desk.members()] == ["box", "quillon", "vexmarch"]
            health = await desk.health()
            assert_silent({"health": codec.write(health, codec.JSON)}, {**secrets, "address": box.host})
        secrets |= {
            "address": box.host,
            "note": "grindelwood",
            "title": "Grindelwood",
            "text": "harbourmaster",
        }
        await box.kill()
        again = await processes.start(data, *settings)
        await again.stop()
        assert_silent(written([data], [box.log]), secrets)
        restarted = await processes.start(data, *settings)
        box.child = restarted.child


async def misbehave(box: processes.Process, person: Person) -> None:
    """What goes wrong: guesses, bodies and addresses that are none, a peer that leaves in the middle."""
    async with Http(box.onion) as http:
        for method, path, body in (
            ("POST", "/v1/session", codec.write(person.sign_in(key=bytes(32)), codec.JSON)),
            ("POST", "/v1/accounts", b'{"name": "zanderby-in-a-path"'),
            ("POST", "/v1/accounts", codec.write(person.register("zanderby-in-a-path"), codec.JSON)),
            ("GET", "/v1/zanderby-in-a-path?x=harbourmaster", None),
            ("DELETE", "/v1/sessions/zanderby-in-a-path", None),
            ("POST", "/v1/deposit", b"\xff harbourmaster"),
        ):
            with suppress(Refusal):
                await http.exchange(method, path, body)
    for sent in (
        b"GET /zanderby-in-a-path HTTP/1.1\r\nHost: harbourmaster\r\n\r\n",
        b"POST /v1/accounts HTTP/1.1\r\nHost: "
        + box.host.encode()
        + b"\r\nContent-Length: 900\r\n\r\nharbourmaster",
        b"harbourmaster\r\n\r\n",
    ):
        stream = await box.onion.open()
        await stream.send_all(sent)
        await trio.aclose_forcefully(stream)


@pytest.fixture
async def scene(tmp_path: Path, private_network: Any) -> AsyncIterator[Scene]:
    async with Scene(tmp_path, private_network.torrc_path) as found:
        yield found


@pytest.mark.tor
@pytest.mark.slow
async def test_the_story_leaves_no_trace_outside_the_store(scene: Scene) -> None:
    """A file and a note through a relay to a box that is off, by real Tor; a box is killed on the way."""
    names = ("quillon", "vexmarch", "zanderby")
    sender, recipient, relay = names
    for name in names:
        scene.cast(name, "contact_envelopes=100000")
    await scene.start(*names)
    for name in names:
        await scene.claim(name)
    for user in (sender, recipient):
        await scene.lend(relay, user)
    await scene.introduce(sender, recipient)
    await scene.actors[recipient].kill()
    content = b"harbourmaster" * 4000
    note = await scene.send_note(sender, recipient, "grindelwood at nine")
    file = await scene.send_file(sender, recipient, "cobblestone.pdf", content)
    await scene.until_sent(sender, recipient, file, "relay")
    await scene.actors[recipient].start()
    (arrived,) = await scene.until_arrived(recipient, sender)
    assert arrived.content == content
    await scene.until_sent(sender, recipient, file, "delivered", "read")

    secrets: dict[str, str | bytes] = {"body": "grindelwood", "file": "cobblestone", "content": content[:200]}
    secrets |= {f"name {name}": name for name in names}
    secrets |= {f"address of {name}": scene.actors[name].onion.removesuffix(".onion") for name in names}
    secrets |= {"note's id": bytes.fromhex(note), "file's id": bytes.fromhex(file)}
    for actor in scene.actors.values():
        async with actor.client() as me:
            secrets[f"device of {actor.name}"] = bytes.fromhex(me.device)
    folders = [actor.data for actor in scene.actors.values()]
    logs = [actor.log for actor in scene.actors.values()]
    assert_silent(written(folders, logs), secrets)
    for actor in scene.actors.values():
        await actor.stop()
    everything = written(folders, logs)
    assert_silent(everything, secrets)
    assert any("tor" in Path(where).parts[-2:] or "/tor/" in where for where in everything), (
        "Tor's files, too"
    )
