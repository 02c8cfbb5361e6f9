"""Checks of the vectors of channels: rosters, sender keys, contents."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from appliance.errors import Refusal
from appliance.protocol import (
    channel_content,
    channel_info,
    channel_message,
    codec,
    content,
    membership,
    roster,
)
from appliance.protocol.group_cipher import Recipient, SenderKeys
from appliance.protocol.keys import SigningKey

Vectors = dict[str, Any]
octets = bytes.fromhex


def check_roster(vectors: Vectors) -> None:
    """States after each entry, entries that are refused, and sealed titles."""
    people = [SigningKey(octets(each)) for each in vectors["people"].values()]
    for case in vectors["rosters"]:
        state = None
        entries = [octets(each) for each in case["entries"]]
        for signed, value, stored in zip(entries, case["values"], case["states"], strict=True):
            link = roster.read(signed)
            assert codec.encode(link.entry).hex() == value
            signer = next(key for key in people if key.public == link.entry.actor)
            assert roster.sign(signer, link.entry) == signed
            state = membership.apply(state, link)
            assert codec.encode(membership.store(state)).hex() == stored
            assert membership.load(codec.decode(octets(stored))) == state
            assert membership.agrees(state, state.mark)
        assert membership.replay(entries) == state
    for case in vectors.get("refused", []):
        state = membership.replay(map(octets, case["entries"])) if case["entries"] else None
        with pytest.raises(Refusal) as caught:
            membership.apply(state, roster.read(octets(case["signed"])))
        assert caught.value.code == case["code"], case["why"]
    info = {name: octets(value) for name, value in vectors["info"].items() if isinstance(value, str)}
    value = codec.read(info["info"], roster.Info)
    assert channel_info.seal(info["key"], info["channel"], value, info["nonce"]) == info["sealed"]
    assert channel_info.open_info(info["key"], info["channel"], info["sealed"]) == value
    for text in vectors["info"].get("not_opened", []):
        with pytest.raises(Refusal, match="not_opened"):
            channel_info.open_info(info["key"], info["channel"], octets(text))


def check_sender_keys(vectors: Vectors) -> None:
    """The story, step by step, with everybody's records after each."""
    states: list[membership.State] = []
    for signed in vectors["roster"]:
        states.append(membership.apply(states[-1] if states else None, roster.read(octets(signed))))
    ciphers: dict[str, SenderKeys] = {}
    stored: dict[str, dict[str, Any]] = {}
    for who, (identity, device) in vectors["devices"].items():
        info_key = vectors["info_key"].get(who)
        ciphers[who] = SenderKeys(octets(identity), octets(device), octets(info_key) if info_key else None)
        stored[who] = {}
    for at, step in enumerate(vectors["steps"]):
        cipher, state = ciphers[step["who"]], states[step.get("state", 1) - 1]
        told: Vectors = {}
        try:
            told = STEPS[step["do"]](cipher, state, step)
            assert "refused" not in step, at
        except Refusal as error:
            assert error.code == step.get("refused"), at
        for name, value in told.items():
            assert step[name] == value, (at, name)
        changes = cipher.changes()
        found = {name: codec.encode(value).hex() if value else None for name, value in changes.items()}
        assert found == step["changes"], at
        stored[step["who"]] |= {name: value and codec.decode(octets(value)) for name, value in found.items()}
        # What was stored is what was there: the next step goes on from it.
        again = SenderKeys(cipher._own.identity, cipher._own.device, cipher.info_key)
        again.load({name: value for name, value in stored[step["who"]].items() if value})
        again._order = cipher._order
        ciphers[step["who"]] = again
    for size, whole in vectors.get("sizes", []):
        assert channel_message.message_size(size) == whole


def _present(step: Vectors) -> dict[bytes, list[bytes]]:
    return {octets(whose): [octets(each) for each in devices] for whose, devices in step["present"]}


def _recipient(pair: list[str]) -> Recipient:
    return Recipient(octets(pair[0]), octets(pair[1]))


def _why(cipher: SenderKeys, state: membership.State, step: Vectors) -> Vectors:
    return {"reason": cipher.why_renew(state, _present(step), step["hour"])}


def _renew(cipher: SenderKeys, state: membership.State, step: Vectors) -> Vectors:
    cipher.renew(state, _present(step), step["hour"], octets(step["fresh"]))
    return {}


def _missing(cipher: SenderKeys, state: membership.State, step: Vectors) -> Vectors:
    found = cipher.missing(state, _present(step))
    return {"missing": [[each.identity.hex(), each.device.hex()] for each in found]}


def _give(cipher: SenderKeys, state: membership.State, step: Vectors) -> Vectors:
    told = cipher.give(state, _recipient(step["to"]), octets(step["id"]), step["sent"])
    return {"content": content.write(told).hex()}


def _answer(cipher: SenderKeys, state: membership.State, step: Vectors) -> Vectors:
    to, wanted = _recipient(step["to"]), octets(step["wanted"])
    told = cipher.answer(state, to, wanted, octets(step["id"]), step["sent"])
    return {"content": content.write(told).hex() if told else None}


def _take(cipher: SenderKeys, state: membership.State, step: Vectors) -> Vectors:
    told = content.read(octets(step["content"]))
    assert isinstance(told, content.SenderKey)
    cipher.take(told, _recipient(step["sender"]))
    return {}


def _seal(cipher: SenderKeys, state: membership.State, step: Vectors) -> Vectors:
    return {"message": cipher.seal(state, octets(step["payload"]), octets(step["fresh"])).hex()}


def _open(cipher: SenderKeys, state: membership.State, step: Vectors) -> Vectors:
    message = octets(step["message"])
    heard = cipher.open(state, step["number"], message)
    if heard is None:
        return {"wanted": channel_message.parse(message).chain.hex()}
    sender = [heard.sender.identity.hex(), heard.sender.device.hex()]
    return {"payload": heard.payload.hex(), "sender": sender}


def _forget(cipher: SenderKeys, state: membership.State, step: Vectors) -> Vectors:
    cipher.forget({octets(id): first for id, first in step["oldest"].items()})
    return {}


STEPS: dict[str, Callable[[SenderKeys, membership.State, Vectors], Vectors]] = {
    "why": _why,
    "renew": _renew,
    "missing": _missing,
    "give": _give,
    "answer": _answer,
    "take": _take,
    "seal": _seal,
    "open": _open,
    "forget": _forget,
}


def check_channel_content(vectors: Vectors) -> None:
    """Contents that read back to themselves, payloads that are refused, and mentions."""
    for case in vectors["contents"]:
        value = channel_content.read(octets(case["payload"]))
        assert type(value).__struct_config__.tag == case["kind"]
        assert channel_content.write(value).hex() == case["payload"]
    for case in vectors.get("refused", []):
        with pytest.raises(Refusal) as caught:
            channel_content.read(octets(case["payload"]))
        assert caught.value.code == case["code"], case["why"]
    state = membership.replay(map(octets, vectors["roster"]))
    for case in vectors["mentions"]:
        names = [member.name for member in channel_content.mentions(case["words"], state)]
        assert names == case["names"], case["words"]
