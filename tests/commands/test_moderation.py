"""Commands of the owner's desk: suspensions, bans, reports, approvals, the audit log, against a real box."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
import trio

from appliance.client.entrance import Entrance, loopback
from appliance.client.http import Http
from appliance.client.moderation import Moderation
from appliance.commands import audit_words
from appliance.protocol import codec
from appliance.protocol.account import Session
from appliance.protocol.audit import Act, Action
from appliance.protocol.moderation import NewReport
from tests.commands import test_box
from tests.households import Person

PEOPLE = {name: Person(name) for name in ("bob", "carol", "boss")}


class Box(test_box.Box):
    """A running box with members."""

    @property
    def loopback(self) -> Entrance:
        return loopback(self.ready["url"].removeprefix("http://").rstrip("/"))

    def sign_up(self, name: str, role: str = "member") -> None:
        code = self.answer("member", "invite", "--role", role)["code"]

        async def register() -> None:
            async with Http(self.loopback) as http:
                await http.call("POST", "/v1/accounts", Session, PEOPLE[name].register(code))

        trio.run(register)

    async def report(self, who: str, about: str, words: str) -> None:
        async with Http(self.loopback) as http:
            await http.call("POST", "/v1/session", Session, PEOPLE[who].sign_in())
            await Moderation(http).report(NewReport(os.urandom(16), "abuse", words, person=about))


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    data = tmp_path_factory.mktemp("box") / "box"
    found = Box.start(data, "--set", "kdf_memory_kib=64", "--set", "kdf_passes=1")
    found.claim()
    for name, role in (("bob", "member"), ("carol", "moderator"), ("boss", "admin")):
        found.sign_up(name, role)
    yield found
    assert found.stop() == 0


def test_suspend_ban_and_limit(box: Box) -> None:
    result = box.island("member", "suspend", "bob", "--days", "2", "--reason", "cool down")
    assert result.exit_code == 0 and "bob may not sign in until " in result.stdout
    row = next(m for m in box.answer("member", "list") if m["name"] == "bob")
    assert row["suspended"] and row["reason"] == "cool down"
    assert "bob may sign in again." in box.island("member", "suspend", "bob", "--end").stdout
    assert "bob may not write any more in boards." in box.island("member", "ban", "bob", "boards").stdout
    assert "bob may write in boards." in box.island("member", "ban", "bob", "boards", "--end").stdout
    assert "posts: no" in box.island("member", "limit", "bob", "--post", "no").stdout


def test_reports(box: Box) -> None:
    trio.run(box.report, "bob", "carol", "she shouts\x1b[2J")
    shown = box.island("report").stdout
    assert "carol" in shown and "she shouts" in shown and "\x1b" not in shown
    (row,) = box.answer("report", "list")
    assert "she shouts" in box.island("report", "show", row["id"]).stdout
    assert box.island("report", "take", row["id"]).exit_code == 0
    done = box.answer("report", "settle", row["id"], "--did", "warned", "--answer", "Thanks")
    assert (done["phase"], done["did"]) == ("done", ["warned"])
    assert "Nothing was reported." in box.island("report").stdout
    assert [one["id"] for one in box.answer("report", "list", "--closed")] == [row["id"]]


def test_audit_and_approvals(box: Box, tmp_path: Path) -> None:
    assert box.island("settings", "set", "four_eyes", "yes").exit_code == 0
    refused = box.island("member", "remove", "bob", "--yes")
    assert refused.exit_code == 1 and "must agree" in refused.stderr
    (row,) = box.answer("approval", "list")
    assert (row["action"], row["target"], row["mine"]) == ("member.remove", "bob", True)
    assert box.island("approval", "agree", "bob").exit_code == 1
    assert box.island("settings", "set", "four_eyes", "no").exit_code == 1
    assert "bob" in box.island("approval", "refuse", "bob").stdout

    said = box.island("audit").stdout
    for words in (
        "made an invite for 1 as admin",
        "changed settings: four_eyes = ",
        "asked for a second pair",
    ):
        assert words in said
    for name in ("acts.csv", "acts.jsonl"):
        assert box.island("audit", "export", str(tmp_path / name)).exit_code == 0
    lines = [json.loads(line) for line in (tmp_path / "acts.jsonl").read_text().splitlines()]
    table = list(csv.DictReader((tmp_path / "acts.csv").read_text().splitlines()))
    assert [line["action"] for line in lines] == [row["action"] for row in table]
    assert lines[-1]["action"] == "account.claim" and len(lines) > 8


def test_minimise_and_times(box: Box) -> None:
    assert "Not done yet" in box.island("minimise").stdout
    assert "Blanked in the data file: " in box.island("minimise", "--now").stdout
    assert box.answer("minimise")["blanked"] and "✓ Minimising" in box.island("health").stdout
    assert "GET /v1/members" in box.island("health", "--times").stdout


def test_every_action_has_its_sentence() -> None:
    assert audit_words.SENTENCES.keys() == set(get_args(Action))
    for action in (*get_args(Action), "from.tomorrow"):
        act = Act(1, 0, None, "", "owner", action, "bob", None, {"until": 0, "uses": 2, "can_post": "no"})
        words = audit_words.sentence(act)
        assert words and "{" not in words and audit_words.actor(act) == "command line"
    hostile = codec.read(codec.encode(act), Act)
    assert "{" not in audit_words.sentence(hostile)
