"""The directory on the wire: entries, bundles, one-time prekeys, and the proofs of the transparency log."""

from __future__ import annotations

from typing import Annotated

import msgspec

from appliance.protocol.account import AccountName
from appliance.protocol.keys import KEM_PUBLIC_SIZE
from appliance.protocol.messages import Bytes16, Bytes32, Bytes64, Message, WorkChallenge, WorkSolution
from appliance.protocol.route import Route

MAX_ROUTES = 8
MAX_ONE_TIME = 100
"""One-time prekeys a box keeps for one device."""
MAX_ENTRY_OCTETS = 4096
MAX_BUNDLE_OCTETS = 4096
VERSION = 1

KemPublic = Annotated[bytes, msgspec.Meta(min_length=KEM_PUBLIC_SIZE, max_length=KEM_PUBLIC_SIZE)]
PrekeyId = Annotated[int, msgspec.Meta(ge=1, lt=1 << 32)]
Signed = Annotated[bytes, msgspec.Meta(min_length=65, max_length=4096)]
"""signature 64 ‖ deterministic CBOR of the value."""


class Device(Message, omit_defaults=False):
    """One device of an account: its id, Ed25519 signing key, X25519 identity key, hour it was added."""

    device: Bytes16
    signing: Bytes32
    agreement: Bytes32
    added_hour: int


class Entry(Message, omit_defaults=False):
    """Who a name is (SPEC.md, "Directory"). Signed by `identity`, context "entry"; a leaf of the log.

    `revision` rises by one with every change. An account that was deleted has no devices.
    """

    version: int
    name: AccountName
    onion: Bytes32
    identity: Bytes32
    revision: int
    issued_hour: int
    devices: Annotated[list[Device], msgspec.Meta(max_length=16)]


class Bundle(Message, omit_defaults=False):
    """A device's lasting prekeys and the routes to its request mailbox.

    Signed by the device's signing key, context "bundle".
    """

    version: int
    identity: Bytes32
    device: Bytes16
    prekey_id: PrekeyId
    prekey: Bytes32
    kem_id: PrekeyId
    kem: KemPublic
    routes: Annotated[list[Route], msgspec.Meta(max_length=MAX_ROUTES)]
    issued_hour: int


class OneTimePrekey(Message, omit_defaults=False):
    """A prekey pair that serves once.

    `signature` is by the device's signing key, context "prekey", over CBOR [device, id, key, kem].
    """

    id: PrekeyId
    key: Bytes32
    kem: KemPublic
    signature: Bytes64


class Checkpoint(Message, omit_defaults=False):
    """A C2SP signed note of the log, as text (SPEC.md, "Transparency log")."""

    note: str


class Proof(Message, omit_defaults=False):
    """Leaf `index` is in the tree of `checkpoint`; `consistency` from the caller's older size, if asked."""

    index: int
    hashes: list[Bytes32]
    checkpoint: str
    consistency: list[Bytes32] | None = None


class LookUp(Message):
    """Ask for a name of this box; `size` is the tree size of the last checkpoint one has seen."""

    name: AccountName
    size: int = 0


class Found(Message, omit_defaults=False):
    """The signed entry with its proof, and each device's signed bundle."""

    entry: Signed
    proof: Proof
    bundles: list[Signed]


class TakePrekeys(Message):
    """Take one one-time prekey of each named device; strangers show work when the box asks for it."""

    name: AccountName
    devices: Annotated[list[Bytes16], msgspec.Meta(min_length=1, max_length=16)]
    work: WorkSolution | None = None


class TakenPrekey(Message, omit_defaults=False):
    """A device's one-time prekey, or none: then its last-resort key serves."""

    device: bytes
    prekey: OneTimePrekey | None


class Taken(Message, omit_defaults=False):
    """One-time prekeys, gone from the box for good; `work` when the next taking needs a puzzle."""

    prekeys: list[TakenPrekey]
    work: WorkChallenge | None = None


class FarLookUp(Message):
    """Ask one's own box to look somebody up at theirs, over Tor where that is another box."""

    address: Annotated[str, msgspec.Meta(max_length=128)]
    size: int = 0


class FarTake(Message):
    """The same for one-time prekeys."""

    address: Annotated[str, msgspec.Meta(max_length=128)]
    devices: Annotated[list[Bytes16], msgspec.Meta(min_length=1, max_length=16)]


class Publish(Message):
    """A member's writes: a new signed entry, bundle, one-time prekeys; what is left out stays.

    The box verifies every signature, that the entry is the account's (name, onion, identity) and that its
    revision follows. `replace` drops the one-time prekeys that were there.
    """

    entry: Signed | None = None
    bundle: Signed | None = None
    one_time: Annotated[list[OneTimePrekey], msgspec.Meta(max_length=MAX_ONE_TIME)] = msgspec.field(
        default_factory=list
    )
    replace: bool = False


class Published(Message, omit_defaults=False):
    """How many one-time prekeys the device has now, and the proof of the entry that holds."""

    one_time: int
    entry: bytes | None
    proof: Proof | None


class ConsistencyQuery(Message):
    """Ask for the proof that the tree of `first` leaves is a prefix of that of `second` (0: the present)."""

    first: int
    second: int = 0


class Consistency(Message, omit_defaults=False):
    """A consistency proof (RFC 6962 §2.1.2) to the tree of `checkpoint`."""

    hashes: list[Bytes32]
    checkpoint: str


class FarConsistency(Message):
    """Ask one's own box for the proof of another box's log, named by an address there."""

    address: Annotated[str, msgspec.Meta(max_length=128)]
    first: int
    second: int = 0


class Leaves(Message, omit_defaults=False):
    """A stretch of the log: signed entries in order, from `start` on."""

    start: int
    entries: list[bytes]
    more: bool
