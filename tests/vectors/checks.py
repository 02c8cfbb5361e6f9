"""Checks of vectors against this implementation: of its own files, and of what the other one wrote."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, TypeVar

import pytest

from appliance.errors import Refusal
from appliance.protocol import (
    backup_code,
    certificate,
    codec,
    content,
    first,
    link,
    passphrase,
    peer,
    pqxdh,
    prekeys,
    ratchet,
    record,
    safety,
    signals,
    transparency,
)
from appliance.protocol.account import Kdf
from appliance.protocol.directory import Bundle, Entry, OneTimePrekey
from appliance.protocol.keys import SigningKey
from tests.vectors import channel_checks, mlkem

Vectors = dict[str, Any]
T = TypeVar("T")
octets = bytes.fromhex


def struct(text: str, kind: type[T]) -> T:
    """A struct from its CBOR in hex, which must be the CBOR we write."""
    value = codec.read(octets(text), kind)
    assert codec.encode(value).hex() == text
    return value


def refusal(act: Callable[[], object]) -> str | None:
    """The code with which something is refused; None when it is not."""
    try:
        act()
    except Refusal as error:
        return error.code
    return None


def check_passphrase(vectors: Vectors) -> None:
    """Stretching and wrapping."""
    for case in vectors["cases"]:
        kdf = Kdf(octets(case["salt"]), case["memory_kib"], case["passes"])
        keys = passphrase.stretch(case["passphrase"], kdf)
        assert keys.authentication.hex() == case["authentication"]
        assert keys.wrapping.hex() == case["wrapping"]
    wrap = {name: octets(value) for name, value in vectors["wrap"].items()}
    wrapped = passphrase.wrap(wrap["wrapping"], wrap["account"], wrap["vault_key"], wrap["nonce"])
    assert wrapped == wrap["wrapped"]
    assert passphrase.unwrap(wrap["wrapping"], wrap["account"], wrapped) == wrap["vault_key"]
    for case in vectors.get("refused", []):
        with pytest.raises(Refusal, match="not_opened"):
            passphrase.unwrap(wrap["wrapping"], octets(case["account"]), octets(case["wrapped"]))


def check_backup_code(vectors: Vectors) -> None:
    """Codes as text and as keys."""
    for case in vectors["cases"]:
        code = octets(case["code"])
        assert backup_code.write(code) == case["text"] and backup_code.read(case["text"]) == code
        keys = backup_code.keys(code)
        assert (keys.authentication.hex(), keys.wrapping.hex()) == (case["authentication"], case["wrapping"])
    for case in vectors.get("same", []):
        assert backup_code.read(case["text"]).hex() == case["code"]
    for text in vectors.get("refused", []):
        with pytest.raises(Refusal, match="malformed"):
            backup_code.read(text)


def check_link(vectors: Vectors) -> None:
    """The linking packet and its fragment."""
    ident, secret = octets(vectors["id"]), octets(vectors["secret"])
    assert link.fragment(ident, secret) == vectors["fragment"]
    assert link.read_fragment(vectors["fragment"]) == (ident, secret)
    packet = link.LinkPacket(octets(vectors["vault_key"]), vectors["name"])
    assert link.seal(ident, secret, packet, octets(vectors["nonce"])).hex() == vectors["packet"]
    assert link.open_packet(ident, secret, octets(vectors["packet"])) == packet
    for text in vectors.get("refused_fragments", []):
        with pytest.raises(Refusal, match="malformed"):
            link.read_fragment(text)
    for data in vectors.get("refused_packets", []):
        with pytest.raises(Refusal, match="not_opened"):
            link.open_packet(ident, secret, octets(data))


def check_record(vectors: Vectors) -> None:
    """Vault records."""
    keys = record.VaultKeys(octets(vectors["vault_key"]))
    for case in vectors["records"]:
        ident, data = keys.id(case["name"]), octets(case["data"])
        value = codec.decode(octets(case["value"]))
        assert ident.hex() == case["id"]
        assert keys.seal(ident, case["version"], value, octets(case["nonce"])) == data
        assert keys.open(ident, case["version"], data) == value
    for size, padded in vectors.get("padded", []):
        assert record.padded_size(size) == padded
    for case in vectors.get("refused", []):
        with pytest.raises(Refusal, match=case["code"]):
            keys.open(octets(case["id"]), case["version"], octets(case["data"]))


def check_safety(vectors: Vectors) -> None:
    """Safety numbers from both sides."""
    one, other = map(octets, vectors["identities"])
    for a, b in ((one, other), (other, one)):
        assert safety.digits(a, b) == vectors["digits"] and safety.code(a, b) == vectors["code"]
        assert all(safety.matches(text, a, b) for text in [vectors["code"], *vectors.get("matching", [])])
        assert not any(safety.matches(text, a, b) for text in vectors.get("not_matching", []))


def check_prekeys(vectors: Vectors) -> None:
    """Entries, bundles, one-time prekeys."""
    identity, key = SigningKey(octets(vectors["identity_seed"])), SigningKey(octets(vectors["signing_seed"]))
    entry, bundle = struct(vectors["entry"], Entry), struct(vectors["bundle"], Bundle)
    device = entry.devices[0]
    assert prekeys.sign_entry(identity, entry).hex() == vectors["signed_entry"]
    assert prekeys.read_entry(octets(vectors["signed_entry"])) == entry
    lasting = struct(vectors["lasting"], prekeys.LastingSecret)
    made = prekeys.bundle_of(entry.identity, device.device, lasting, bundle.routes, bundle.issued_hour)
    assert made == bundle and prekeys.sign_bundle(key, bundle).hex() == vectors["signed_bundle"]
    assert prekeys.read_bundle(octets(vectors["signed_bundle"]), entry) == bundle
    for case in vectors["one_time"]:
        secret = struct(case["secret"], prekeys.OneTimeSecret)
        prekey = struct(case["prekey"], OneTimePrekey)
        assert prekeys.make_one_time(device.device, key, secret) == prekey
        prekeys.check_one_time(prekey, device)
    for case in vectors.get("refused_entries", []):
        found = refusal(lambda case=case: prekeys.read_entry(octets(case["signed"])))  # type: ignore[misc]
        assert found == case["code"], case["why"]
    for case in vectors.get("refused_bundles", []):
        found = refusal(lambda case=case: prekeys.read_bundle(octets(case["signed"]), entry))  # type: ignore[misc]
        assert found == case["code"], case["why"]
    for case in vectors.get("refused_one_time", []):
        with pytest.raises(Refusal, match="bad_bundle"):
            prekeys.check_one_time(struct(case["prekey"], OneTimePrekey), device)


def check_certificate(vectors: Vectors) -> None:
    """Sender certificates and their hours."""
    value, signed = struct(vectors["certificate"], certificate.Certificate), octets(vectors["signed"])
    assert certificate.make(SigningKey(octets(vectors["identity_seed"])), value) == signed
    for hour in vectors["good_hours"]:
        assert certificate.read(signed, hour) == value
    for case in vectors.get("refused", []):
        with pytest.raises(Refusal, match="bad_message"):
            certificate.read(octets(case["signed"]), case["hour"])


def check_transparency(vectors: Vectors) -> None:
    """Trees, proofs and checkpoints; and that no proof holds after a change."""
    leaves = [octets(leaf) for leaf in vectors["leaves"]]
    node = transparency.nodes_of([transparency.leaf_hash(leaf) for leaf in leaves])
    heads = [transparency.Head("log", n, transparency.root(node, n)) for n in range(len(leaves) + 1)]
    assert [head.root.hex() for head in heads] == vectors["roots"]
    for case in vectors["inclusion"]:
        hashes = [octets(each) for each in case["hashes"]]
        assert transparency.prove_inclusion(node, case["index"], case["size"]) == hashes
        transparency.check_inclusion(heads[case["size"]], leaves[case["index"]], case["index"], hashes)
    for case in vectors["consistency"]:
        hashes = [octets(each) for each in case["hashes"]]
        assert transparency.prove_consistency(node, case["first"], case["second"]) == hashes
        transparency.check_consistency(heads[case["first"]], heads[case["second"]], hashes)
    point = vectors["checkpoint"]
    box = SigningKey(octets(point["box_seed"]))
    head = transparency.Head(point["origin"], point["size"], octets(point["root"]))
    assert transparency.write_checkpoint(box, head.size, head.root) == point["note"]
    assert transparency.read_checkpoint(point["note"], box.public) == head
    assert transparency.read_checkpoint(point.get("with_witness", point["note"]), box.public) == head
    for note in vectors.get("refused_notes", []):
        with pytest.raises(Refusal, match="bad_log"):
            transparency.read_checkpoint(note, box.public)


def check_pqxdh(vectors: Vectors) -> None:
    """Both sides of an agreement."""
    a, b = struct(vectors["initiator"], pqxdh.OwnDevice), struct(vectors["responder"], pqxdh.OwnDevice)
    bundle = struct(vectors["bundle"], Bundle)
    lasting = struct(vectors["lasting"], prekeys.LastingSecret)
    secret = struct(vectors["one_time_secret"], prekeys.OneTimeSecret)
    prekey = struct(vectors["one_time_prekey"], OneTimePrekey)
    for case in vectors["cases"]:
        once, given = (secret, prekey) if case["one_time"] else (None, None)
        kem = pqxdh.Encapsulated(*mlkem.encapsulate(pqxdh.kem_key(bundle, given), octets(case["kem_coins"])))
        assert kem.secret.hex() == case["kem_secret"]
        agreed, initiation = pqxdh.initiate(
            a, pqxdh.party_of(b), bundle, given, octets(case["ephemeral_seed"]), kem
        )
        assert codec.encode(initiation).hex() == case["initiation"]
        assert codec.encode(agreed).hex() == case["agreed"]
        assert pqxdh.respond(b, pqxdh.party_of(a), lasting, once, initiation) == agreed


def check_ratchet(vectors: Vectors) -> None:
    """Conversations of two states, every state compared."""
    for talk in vectors["conversations"]:
        states = {who: struct(state, ratchet.State) for who, state in talk["start"].items()}
        for step in talk["steps"]:
            who, fresh, message = step["who"], octets(step["fresh"]), octets(step["message"])
            if step["do"] == "send":
                sealed = ratchet.encrypt(states[who], octets(step["payload"]), vectors["size"], fresh)
                assert sealed.message == message
                states[who] = sealed.state
            elif "refused" in step:
                with pytest.raises(Refusal, match=step["refused"]):
                    ratchet.decrypt(states[who], message, fresh, step["hour"])
            else:
                opened = ratchet.decrypt(states[who], message, fresh, step["hour"])
                assert (opened.payload.hex() if opened else None) == step["payload"]
                if opened:
                    assert opened.late == step["late"]
                    states[who] = opened.state
            assert states[who] == struct(step["state"], ratchet.State)


def check_first(vectors: Vectors) -> None:
    """First envelopes, as far as their outer layer goes."""
    own, good = struct(vectors["own"], pqxdh.OwnDevice), vectors["good"]
    opened = first.open_envelope(own, octets(good["envelope"]), good["hour"])
    assert opened and opened.message.hex() == good["message"]
    assert codec.encode(opened.certificate).hex() == good["certificate"]
    assert codec.encode(opened.initiation).hex() == good["initiation"]
    for case in vectors.get("refused", []):
        data, hour = octets(case["envelope"]), case["hour"]
        if case["code"] is None:
            assert first.open_envelope(own, data, hour) is None, case["why"]
        else:
            with pytest.raises(Refusal, match=case["code"]):
                first.open_envelope(own, data, hour)


def check_peer(vectors: Vectors) -> None:
    """Conversations of two devices, every stored peer compared."""
    own = {who: struct(each, pqxdh.OwnDevice) for who, each in vectors["own"].items()}
    lasting = {who: [struct(each, prekeys.LastingSecret)] for who, each in vectors["lasting"].items()}
    bundles = {who: struct(vectors["bundles"][f"for {who}"], Bundle) for who in own}
    secret = struct(vectors["one_time"]["secret"], prekeys.OneTimeSecret)
    prekey = struct(vectors["one_time"]["prekey"], OneTimePrekey)
    certificates = {who: octets(each) for who, each in vectors["certificates"].items()}
    for talk in vectors["conversations"]:
        peers = {who: struct(each, peer.Peer) for who, each in vectors["start"].items()}
        one_time: dict[str, dict[int, Any]] = {"a": {}, "b": {secret.id: secret}}
        envelopes: dict[int, bytes] = {}
        for at, step in enumerate(talk["steps"]):
            who = step["who"]
            if step["do"] == "begin":
                given = prekey if step["one_time"] else None
                kem = pqxdh.Encapsulated(
                    *mlkem.encapsulate(pqxdh.kem_key(bundles[who], given), octets(step["kem_coins"]))
                )
                fresh = octets(step["fresh"])
                peers[who] = peer.begin(peers[who], own[who], bundles[who], given, step["hour"], fresh, kem)
            elif step["do"] == "seal":
                payload, fresh = octets(step["payload"]), octets(step["fresh"])
                sealed = peer.seal(peers[who], certificates[who], payload, step["small"], fresh)
                assert sealed.envelope.hex() == step["envelope"]
                peers[who], envelopes[at] = sealed.peer, sealed.envelope
            elif step["do"] == "open":
                peers[who] = _open(step, own[who], lasting[who], one_time[who], peers[who], envelopes)
            else:
                peers[who] = struct(step["peer"], peer.Peer)
            assert peers[who] == struct(step["peer"], peer.Peer)


def _open(
    step: Vectors, own: Any, lasting: Any, one_time: Any, known: peer.Peer, envelopes: dict[int, bytes]
) -> peer.Peer:
    data, fresh, hour = envelopes[step["step"]], octets(step["fresh"]), step["hour"]

    def act() -> tuple[peer.Peer, Vectors]:
        opened = peer.open_envelope(known, data, hour, fresh)
        if opened:
            return opened.peer, {"by": "session", "payload": opened.payload.hex()}
        outer = first.open_envelope(own, data, hour)
        if outer is None:
            return known, {"by": "nobody"}
        found = peer.accept(own, outer, lasting, one_time, known, hour, fresh)
        one_time.pop(found.one_time_id, None)
        mark = found.mark.hex() if found.mark else None
        return found.peer, {
            "by": "first",
            "payload": found.payload.hex(),
            "one_time_id": found.one_time_id,
            "mark": mark,
        }

    if "refused" in step:
        with pytest.raises(Refusal, match=step["refused"]):
            act()
        return known
    after, told = act()
    assert told.items() <= step.items()
    return after


def check_signals(vectors: Vectors) -> None:
    """Signs both ways, their age, and what is no sign."""
    peers = {who: struct(each, peer.Peer) for who, each in vectors["peers"].items()}
    for case in vectors["signals"]:
        here, there = case["from"], "b" if case["from"] == "a" else "a"
        sign, data = signals.Sign(case["kind"], case["sent"]), octets(case["envelope"])
        assert signals.seal(peers[here], sign, octets(case["nonce"])) == data
        if all(each.signals_in != peers[here].sessions[0].signals_out for each in peers[there].sessions):
            # A session the other side does not know (yet).
            assert signals.open_envelope(peers[there], data, case["sent"]) is None
            continue
        for off in (-60, 0, 60):
            assert signals.open_envelope(peers[there], data, case["sent"] + off) == sign
        for off in (-61, 61):
            with pytest.raises(Refusal, match="bad_message"):
                signals.open_envelope(peers[there], data, case["sent"] + off)
        assert signals.open_envelope(peers[here], data, case["sent"]) is None
    for text in vectors.get("not_opened", []):
        assert all(signals.open_envelope(each, octets(text), 0) is None for each in peers.values())


def check_content(vectors: Vectors) -> None:
    """Contents that read back to themselves, and payloads that are refused."""
    for case in vectors["contents"]:
        value = content.read(octets(case["payload"]))
        assert type(value).__struct_config__.tag == case["kind"]
        assert content.write(value).hex() == case["payload"]
        assert content.is_small(value) == case["small"]
    for case in vectors.get("cleaned", []):
        found = content.read(octets(case["payload"]))
        assert isinstance(found, content.Attachment) and found.name == case["name"]
    for case in vectors.get("refused", []):
        found_code = refusal(lambda case=case: content.read(octets(case["payload"])))  # type: ignore[misc]
        assert found_code == case["code"], case["why"]


def sha256(data: bytes) -> str:
    """A digest in hex."""
    return hashlib.sha256(data).hexdigest()


CHECKS: dict[str, Callable[[Vectors], None]] = {
    "passphrase": check_passphrase,
    "backup_code": check_backup_code,
    "link": check_link,
    "record": check_record,
    "safety": check_safety,
    "prekeys": check_prekeys,
    "certificate": check_certificate,
    "transparency": check_transparency,
    "pqxdh": check_pqxdh,
    "ratchet": check_ratchet,
    "peer": check_peer,
    "signals": check_signals,
    "content": check_content,
    "channel_content": channel_checks.check_channel_content,
    "roster": channel_checks.check_roster,
    "sender_keys": channel_checks.check_sender_keys,
}
