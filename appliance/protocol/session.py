"""The session: one PQXDH agreement and the ratchet that grew from it, between two devices.

made by     sends                              becomes answered when
begin       first envelopes (with initiation)  a message of the other side opens: initiation goes
accept      session envelopes                  (at once)
"""

from __future__ import annotations

from typing import Final

import msgspec

from appliance.errors import Refusal
from appliance.protocol import envelope, first, pqxdh, ratchet
from appliance.protocol.directory import Bundle, OneTimePrekey
from appliance.protocol.envelope import SIZES, VERSION
from appliance.protocol.messages import Bytes32, Message
from appliance.protocol.pqxdh import Encapsulated, Initiation, OwnDevice, Party
from appliance.protocol.prekeys import LastingSecret, OneTimeSecret

OVERHEAD: Final = 1 + ratchet.OVERHEAD
"""Octets of a session envelope that are neither payload nor padding."""
FRESH_TO_BEGIN: Final = 64
FRESH_TO_SEND: Final = ratchet.FRESH_TO_SEND + 32

_SMALL: Final = SIZES[0]
_USUAL: Final = SIZES[2:]


class Session(Message):
    """A session as it is stored: `ephemeral` (of PQXDH) names it, `initiation` stays until an answer came."""

    ephemeral: Bytes32
    started_hour: int
    signals_out: Bytes32
    signals_in: Bytes32
    ratchet: ratchet.State
    initiation: Initiation | None = None


class Sealed(Message):
    """The session after sending, and the envelope."""

    session: Session
    envelope: bytes


class Opened(Message):
    """The session after receiving, and the payload; `late`: older than others received before."""

    session: Session
    payload: bytes
    late: bool


def room(size: int) -> int:
    """The payload octets that fit a session envelope of this class."""
    return size - OVERHEAD - 1


def begin(
    own: OwnDevice,
    other: Party,
    bundle: Bundle,
    one_time: OneTimePrekey | None,
    hour: int,
    fresh: bytes,
    kem: Encapsulated,
) -> Session:
    """A session towards verified prekeys; `fresh` is 64 octets: ephemeral and ratchet seed."""
    agreed, initiation = pqxdh.initiate(own, other, bundle, one_time, fresh[:32], kem)
    state = ratchet.initiator(
        agreed.root,
        bundle.prekey,
        agreed.initiator_header,
        agreed.responder_header,
        agreed.associated,
        fresh[32:FRESH_TO_BEGIN],
    )
    return Session(
        ephemeral=initiation.ephemeral,
        started_hour=hour,
        signals_out=agreed.initiator_signals,
        signals_in=agreed.responder_signals,
        ratchet=state,
        initiation=initiation,
    )


def accept(
    own: OwnDevice,
    other: Party,
    lasting: LastingSecret,
    one_time: OneTimeSecret | None,
    initiation: Initiation,
    hour: int,
) -> Session:
    """The other side of `begin`; to be kept only once its first message has opened."""
    agreed = pqxdh.respond(own, other, lasting, one_time, initiation)
    state = ratchet.responder(
        agreed.root,
        lasting.prekey,
        agreed.initiator_header,
        agreed.responder_header,
        agreed.associated,
    )
    return Session(
        ephemeral=initiation.ephemeral,
        started_hour=hour,
        signals_out=agreed.responder_signals,
        signals_in=agreed.initiator_signals,
        ratchet=state,
    )


def seal(
    session: Session, other: Party, certificate: bytes, payload: bytes, small: bool, fresh: bytes
) -> Sealed:
    """The next envelope; `small` lets it be of the smallest class. `fresh` is 80 octets.

    Refusal wrong_state, wrong_size. The new state must be stored before the envelope leaves.
    """
    once, seed = fresh[: ratchet.FRESH_TO_SEND], fresh[ratchet.FRESH_TO_SEND : FRESH_TO_SEND]
    if session.initiation is not None:
        sealed = ratchet.encrypt(session.ratchet, payload, len(payload) + 1, once)
        whole = first.seal(other.agreement, certificate, session.initiation, sealed.message, seed)
    else:
        size = class_of(len(payload), small)
        sealed = ratchet.encrypt(session.ratchet, payload, size - OVERHEAD, once)
        whole = bytes((VERSION,)) + sealed.message
    return Sealed(msgspec.structs.replace(session, ratchet=sealed.state), whole)


def open_envelope(session: Session, data: bytes, fresh: bytes, hour: int) -> Opened | None:
    """What a session envelope says; None when it is not of this session. Refusals of `ratchet.decrypt`."""
    envelope.check(data)
    return open_message(session, data[1:], fresh, hour)


def open_message(session: Session, message: bytes, fresh: bytes, hour: int) -> Opened | None:
    """The same for a message without its version octet, as first envelopes carry it."""
    opened = ratchet.decrypt(session.ratchet, message, fresh, hour)
    if opened is None:
        return None
    after = msgspec.structs.replace(session, ratchet=opened.state, initiation=None)
    return Opened(after, opened.payload, opened.late)


def class_of(octets: int, small: bool) -> int:
    """The class for so many octets: control messages may be small, all others look alike. wrong_size."""
    if small and octets <= room(_SMALL):
        return _SMALL
    for size in _USUAL:
        if octets <= room(size):
            return size
    raise Refusal("wrong_size")
