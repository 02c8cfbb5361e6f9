"""Everything that reads what strangers send: any octets end in a value or a refusal, and change nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import Refusal
from appliance.protocol import (
    attachment,
    backup_code,
    certificate,
    channel_content,
    channel_info,
    codec,
    content,
    first,
    link,
    membership,
    passphrase,
    peer,
    picture,
    prekeys,
    record,
    roster,
    signals,
    transparency,
)
from appliance.protocol.directory import Entry, Found, OneTimePrekey, Proof
from appliance.protocol.group_cipher import SenderKeys
from tests.protocol.parties import BOX, HOUR, Someone, acquainted
from tests.protocol.test_picture import FILES, PICTURES
from tests.protocol.test_sender_key import Pair

ADA, TO_BOB, BOB, TO_ADA = acquainted()
EVE = Someone("eve")
ENTRY = Entry(
    version=1,
    name="ada",
    onion=BOX.public,
    identity=ADA.identity.public,
    revision=1,
    issued_hour=HOUR,
    devices=[ADA.device, EVE.device],
)
SIGNED_ENTRY = prekeys.sign_entry(ADA.identity, ENTRY)
BUNDLE = prekeys.sign_bundle(ADA.signing, ADA.bundle())
FIRST = EVE.seal(EVE.begin(EVE.know(BOB), BOB), b"hello").envelope
MESSAGE = ADA.seal(TO_BOB, b"hello").envelope
SMALL = ADA.seal(TO_BOB, b"hello", small=True).envelope
SIGNAL = signals.seal(TO_BOB, signals.Sign("here", 0), ADA.fresh(24))
VAULT, PLAN = record.VaultKeys(bytes(32)), attachment.plan(5)
TEXT = content.write(
    content.Attachment(
        v=1,
        id=bytes(16),
        sent=1,
        name="a",
        media="b",
        size=5,
        digest=bytes(32),
        key=bytes(32),
        chunks=[bytes(16)],
        voice=content.Voice(seconds=1, peaks=b""),
    )
)
PAIR = Pair()
POSTED = PAIR.say(b"hello")
STATE = codec.encode(membership.store(PAIR.state))
READING = next(codec.encode(each) for name, each in PAIR.bob.changes().items() if name.startswith("reading/"))
SHARES = next(codec.encode(each) for name, each in PAIR.ada.changes().items() if name.startswith("shares/"))
ADDED = roster.sign(
    ADA.identity,
    roster.Entry(
        1,
        bytes(16),
        2,
        bytes(32),
        HOUR,
        ADA.identity.public,
        roster.Add("bob", BOX.public, BOB.identity.public, "member"),
    ),
)
TITLE = channel_info.seal(bytes(32), bytes(16), roster.Info("t", ""), bytes(24))
SAID = channel_content.write(channel_content.Text(v=1, id=bytes(16), sent=1, text="a", reply=bytes(16)))


def stored(name: str) -> Callable[[bytes], object]:
    """Reads a stored record of a channel's keys."""
    return lambda data: SenderKeys(bytes(32), bytes(16)).load({name: codec.decode(data)})


READERS: dict[str, tuple[Callable[[bytes], object], list[bytes]]] = {
    "entry": (prekeys.read_entry, [SIGNED_ENTRY]),
    "bundle": (lambda data: prekeys.read_bundle(data, ENTRY), [BUNDLE]),
    "certificate": (lambda data: certificate.read(data, HOUR), [ADA.certificate]),
    "first envelope": (lambda data: first.open_envelope(BOB.own, data, HOUR), [FIRST, MESSAGE]),
    "message": (lambda data: peer.open_envelope(TO_ADA, data, HOUR, bytes(32)), [MESSAGE, SMALL, FIRST]),
    "signal": (lambda data: signals.open_envelope(TO_ADA, data, 0), [SIGNAL, SMALL]),
    "content": (content.read, [TEXT]),
    "picture": (picture.read, PICTURES[:4]),
    "file of a picture": (picture.stripped, FILES[:4]),
    "record": (lambda data: VAULT.open(bytes(16), 1, data), [VAULT.seal(bytes(16), 1, "x", bytes(12))]),
    "wrapped": (
        lambda data: passphrase.unwrap(bytes(32), bytes(16), data),
        [passphrase.wrap(bytes(32), bytes(16), bytes(32), bytes(24))],
    ),
    "link": (
        lambda data: link.open_packet(bytes(16), bytes(32), data),
        [link.seal(bytes(16), bytes(32), link.LinkPacket(bytes(32), "ada"), bytes(24))],
    ),
    "chunk": (
        lambda data: attachment.open_chunk(bytes(32), PLAN, 0, data),
        [attachment.seal_chunk(bytes(32), PLAN, 0, b"12345")],
    ),
    "roster entry": (lambda data: membership.apply(PAIR.state, roster.read(data)), [ADDED]),
    "channel info": (lambda data: channel_info.open_info(bytes(32), bytes(16), data), [TITLE]),
    "channel message": (lambda data: PAIR.bob.open(PAIR.state, 3, data), [POSTED]),
    "channel content": (channel_content.read, [SAID]),
    "stored roster": (lambda data: membership.load(codec.decode(data)), [STATE]),
    "stored reading": (stored("reading/x"), [READING]),
    "stored shares": (stored("shares/x"), [SHARES]),
    "stored peer": (lambda data: peer.read(codec.decode(data)), [codec.encode(TO_ADA)]),
}
NOTE = transparency.write_checkpoint(BOX, 5, bytes(32))
TEXT_READERS: dict[str, tuple[Callable[[str], object], str]] = {
    "checkpoint": (lambda text: transparency.read_checkpoint(text, BOX.public), NOTE),
    "backup code": (backup_code.read, backup_code.write(bytes(16))),
    "fragment": (link.read_fragment, link.fragment(bytes(16), bytes(32))),
}


def ends_well(act: Callable[[], object]) -> None:
    """A value or a refusal; any other exception fails the test."""
    try:
        act()
    except Refusal:
        return


@pytest.mark.parametrize("name", READERS)
@given(data=st.binary(max_size=200))
def test_any_octets(name: str, data: bytes) -> None:
    ends_well(lambda: READERS[name][0](data))


@pytest.mark.parametrize("name", READERS)
@given(data=st.data())
def test_octets_that_were_changed(name: str, data: st.DataObject) -> None:
    """Bits turned, octets put in or left out, the end cut off."""
    read, samples = READERS[name]
    octets = bytearray(data.draw(st.sampled_from(samples)))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, max(0, len(octets) - 1)))
        change = data.draw(st.sampled_from(["turn", "put", "leave", "cut", "double"]))
        if change == "turn" and octets:
            octets[at] ^= data.draw(st.integers(1, 255))
        elif change == "put":
            octets[at:at] = data.draw(st.binary(min_size=1, max_size=4))
        elif change == "leave":
            del octets[at : at + data.draw(st.integers(1, 8))]
        elif change == "cut":
            del octets[at:]
        else:
            octets += octets[at:]
    ends_well(lambda: read(bytes(octets)))


@pytest.mark.parametrize("name", TEXT_READERS)
@given(data=st.data())
def test_texts(name: str, data: st.DataObject) -> None:
    read, sample = TEXT_READERS[name]
    at = data.draw(st.integers(0, len(sample)))
    text = sample[:at] + data.draw(st.text(max_size=6)) + sample[at + data.draw(st.integers(0, 6)) :]
    ends_well(lambda: read(text))
    ends_well(lambda: read(data.draw(st.text(max_size=60))))


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**64), 2**64 - 1),
    st.text(max_size=5),
    st.binary(max_size=40),
    st.lists(st.binary(max_size=40), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(0, 9), max_size=2),
)


def with_other_value(draw: Callable[[st.SearchStrategy[Any]], Any], value: Any) -> Any:
    """The value with something in it replaced, left out or added."""
    if isinstance(value, dict) and value and draw(st.booleans()):
        key = draw(st.sampled_from(sorted(value)))
        inner = with_other_value(draw, value[key])
        return {at: each for at, each in value.items() if at != key} | ({key: inner} if inner != "" else {})
    if isinstance(value, list) and value and draw(st.booleans()):
        at = draw(st.integers(0, len(value) - 1))
        return [*value[:at], with_other_value(draw, value[at]), *value[at + 1 :]]
    if isinstance(value, dict) and draw(st.booleans()):
        return value | {draw(st.text(max_size=4)): draw(VALUES)}
    return draw(VALUES)


def structured(kind: str, body: bytes) -> bytes:
    """A body as it travels, signed by whoever must sign it: only its form is wrong."""
    key, context = {
        "entry": (ADA.identity, "entry"),
        "bundle": (ADA.signing, "bundle"),
        "certificate": (ADA.identity, "sender"),
        "roster entry": (ADA.identity, "roster"),
    }.get(kind, (None, ""))
    return key.sign(context, body) + body if key else body


SIGNED = ("entry", "bundle", "certificate", "roster entry")
PLAIN = ("content", "channel content", "stored peer", "stored roster", "stored reading", "stored shares")


@pytest.mark.parametrize("kind", [*SIGNED, *PLAIN])
@given(data=st.data())
def test_well_signed_values_of_any_form(kind: str, data: st.DataObject) -> None:
    read, samples = READERS[kind]
    body = samples[0][64:] if kind in SIGNED else samples[0]
    value = codec.decode(body)
    for _ in range(data.draw(st.integers(1, 3))):
        value = with_other_value(data.draw, value)
    ends_well(lambda: read(structured(kind, codec.encode(value))))


@given(data=st.data())
def test_initials_of_any_form(data: st.DataObject) -> None:
    """Whoever knows Bob's key can make the outer layer: what is inside may be anything."""
    initiation = EVE.begin(EVE.know(BOB), BOB).sessions[0].initiation
    assert initiation
    value = {
        "certificate": EVE.certificate,
        "ephemeral": initiation.ephemeral,
        "prekey_id": initiation.prekey_id,
        "one_time_id": data.draw(st.integers(0, 3)),
        "kem_ciphertext": initiation.kem_ciphertext,
        "message": data.draw(st.binary(max_size=200)),
    }
    if data.draw(st.booleans()):
        value = with_other_value(data.draw, value)

    def act() -> None:
        sealed = sealed_layer(codec.encode(value))
        opened = first.open_envelope(BOB.own, sealed, HOUR)
        if opened:
            peer.accept(BOB.own, opened, [BOB.lasting], BOB.one_time, None, HOUR, bytes(32))

    ends_well(act)


def sealed_layer(body: bytes) -> bytes:
    """The outer layer around any octets."""
    seed = EVE.fresh(32)
    public, agreed = first.keys.agree(seed, BOB.party.agreement)
    head = b"\1" + public
    key = first._key(agreed, public, BOB.party.agreement)
    padded = first.pad(body, 4032 - 49)
    return head + first.bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(padded, head, bytes(24), key)


@given(
    st.integers(-2, 300),
    st.lists(st.binary(min_size=32, max_size=32), max_size=10),
    st.none() | st.lists(st.binary(min_size=32, max_size=32), max_size=10),
    st.integers(0, 40),
)
def test_look_ups_of_any_form(
    index: int, hashes: list[bytes], consistency: list[bytes] | None, size: int
) -> None:
    note = transparency.write_checkpoint(BOX, size, bytes(32))
    found = Found(SIGNED_ENTRY, Proof(index, hashes, note, consistency), [BUNDLE, b"x" * 65])
    older = transparency.Head(transparency.origin(BOX.public), 7, bytes(32))
    with pytest.raises(Refusal, match="bad_log"):
        transparency.check_found(found, "ada", BOX.public, None, older)


@given(st.integers(1, 2**32 - 1), st.binary(min_size=32, max_size=32), st.binary(min_size=64, max_size=64))
def test_one_time_prekeys_of_any_form(id: int, key: bytes, signature: bytes) -> None:
    with pytest.raises(Refusal, match="bad_bundle"):
        prekeys.check_one_time(OneTimePrekey(id, key, ADA.bundle().kem, signature), ADA.device)
