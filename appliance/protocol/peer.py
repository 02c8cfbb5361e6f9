"""The peer: one remote device, the session we send in, and older ones that may still bring something.

Both sides may begin at once, and either may have lost its state: the session in which something new was
received last is the one to send in, so that both come to the same.

    event                                  sessions
    begin                                  new one first
    first envelope accepted                new one first
    message opened, newer than others      its session first
    message opened with a kept key         order unchanged
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

import msgspec

from appliance.errors import Refusal
from appliance.protocol import codec, first, ratchet
from appliance.protocol import session as sessions
from appliance.protocol.directory import Bundle, Device, OneTimePrekey
from appliance.protocol.messages import Bytes16, Bytes32, Message
from appliance.protocol.pqxdh import Encapsulated, OwnDevice, Party
from appliance.protocol.prekeys import LastingSecret, OneTimeSecret
from appliance.protocol.session import Session

VERSION: Final = 1
MAX_SESSIONS: Final = 5
KEPT_IN_OLDER: Final = 500
"""Keys an older session may keep, so that a peer fits one vault record."""


class Peer(Message):
    """A remote device as it is stored: secret as a whole. `sessions` has the one to send in first."""

    version: int
    identity: Bytes32
    device: Bytes16
    agreement: Bytes32
    sessions: Annotated[list[Session], msgspec.Meta(max_length=MAX_SESSIONS)]


class Sealed(Message):
    """The peer after sending, and the envelope."""

    peer: Peer
    envelope: bytes


class Opened(Message):
    """The peer after receiving, and the payload."""

    peer: Peer
    payload: bytes


class Accepted(Message):
    """The peer after a first envelope, and the payload.

    `one_time_id` (0: none) is the one-time prekey to be removed, `mark` what is to be remembered of a
    session begun without one (see `remember`); both in the same change that stores the peer.
    """

    peer: Peer
    payload: bytes
    one_time_id: int
    mark: bytes | None


def make(identity: bytes, device: Device) -> Peer:
    """A device of a verified entry, without a session."""
    return Peer(VERSION, identity, device.device, device.agreement, [])


def read(value: Any) -> Peer:
    """A stored peer from its decoded value; Refusal malformed, or unknown_version."""
    if isinstance(value, dict) and type(value.get("version")) is int and value["version"] > VERSION:
        raise Refusal("unknown_version")
    return codec.convert(value, Peer)


def begin(
    peer: Peer,
    own: OwnDevice,
    bundle: Bundle,
    one_time: OneTimePrekey | None,
    hour: int,
    fresh: bytes,
    kem: Encapsulated,
) -> Peer:
    """The peer with a new session towards its verified prekeys; `fresh` is 64 octets. Refusal bad_bundle."""
    if (bundle.identity, bundle.device) != (peer.identity, peer.device):
        raise Refusal("bad_bundle")
    return _with(peer, sessions.begin(own, _party(peer), bundle, one_time, hour, fresh, kem), None)


def seal(peer: Peer, certificate: bytes, payload: bytes, small: bool, fresh: bytes) -> Sealed:
    """The envelope of a payload; `fresh` is 80 octets. Refusal wrong_state without session, wrong_size.

    The new peer must be stored before the envelope leaves.
    """
    if not peer.sessions:
        raise Refusal("wrong_state")
    sealed = sessions.seal(peer.sessions[0], _party(peer), certificate, payload, small, fresh)
    after = [sealed.session, *peer.sessions[1:]]
    return Sealed(msgspec.structs.replace(peer, sessions=after), sealed.envelope)


def open_envelope(peer: Peer, data: bytes, hour: int, fresh: bytes) -> Opened | None:
    """What an envelope of this peer says; None when no session knows it. `fresh` is 32 octets.

    Refusal repeated, bad_message or out_of_step: it is of this peer and cannot be read.
    """
    for at, session in enumerate(peer.sessions):
        opened = sessions.open_envelope(session, data, fresh, hour)
        if opened is not None:
            return Opened(_received(peer, at, opened), opened.payload)
    return None


def accept(
    own: OwnDevice,
    opened: first.Opened,
    lasting: Sequence[LastingSecret],
    one_time: Mapping[int, OneTimeSecret],
    peer: Peer | None,
    hour: int,
    fresh: bytes,
) -> Accepted:
    """What a first envelope says, in the session it begins or has begun; `fresh` is 32 octets.

    `peer` is what is known of the certificate's device. Refusal out_of_step when its prekeys are gone,
    bad_message, repeated.
    """
    certificate, initiation = opened.certificate, opened.initiation
    if peer is None:
        peer = Peer(VERSION, certificate.identity, certificate.device, certificate.agreement, [])
    party = Party(certificate.identity, certificate.device, certificate.agreement)
    if party != _party(peer):
        raise Refusal("bad_message")
    for at, session in enumerate(peer.sessions):
        if session.ephemeral == initiation.ephemeral:
            again = sessions.open_message(session, opened.message, fresh, hour)
            if again is None:
                raise Refusal("out_of_step")
            return Accepted(_received(peer, at, again), again.payload, 0, None)
    kept = next((each for each in lasting if each.prekey_id == initiation.prekey_id), None)
    once = one_time.get(initiation.one_time_id)
    if kept is None or (initiation.one_time_id and once is None):
        raise Refusal("out_of_step")
    begun = sessions.accept(own, party, kept, once if initiation.one_time_id else None, initiation, hour)
    found = sessions.open_message(begun, opened.message, fresh, hour)
    if found is None:
        raise Refusal("bad_message")
    mark = hashlib.sha256(initiation.ephemeral + initiation.kem_ciphertext).digest()
    after = _with(peer, found.session, None)
    return Accepted(after, found.payload, initiation.one_time_id, None if initiation.one_time_id else mark)


def _party(peer: Peer) -> Party:
    return Party(peer.identity, peer.device, peer.agreement)


def _received(peer: Peer, at: int, opened: sessions.Opened) -> Peer:
    """The peer after a message in session `at`, which comes first if the message is news."""
    if opened.late:
        changed = [*peer.sessions[:at], opened.session, *peer.sessions[at + 1 :]]
        return msgspec.structs.replace(peer, sessions=changed)
    return _with(peer, opened.session, at)


def _with(peer: Peer, session: Session, instead: int | None) -> Peer:
    """The peer with this session first; `instead` is its old place. The others keep fewer keys."""
    older = [each for at, each in enumerate(peer.sessions) if at != instead][: MAX_SESSIONS - 1]
    trimmed = [
        msgspec.structs.replace(each, ratchet=ratchet.trim(each.ratchet, KEPT_IN_OLDER)) for each in older
    ]
    return msgspec.structs.replace(peer, sessions=[session, *trimmed])
