"""Every value that crosses the relay's wire: one frozen type per message (SPEC.md, "Relay")."""

from __future__ import annotations

from typing import Annotated, Literal, dataclass_transform

import msgspec

Bytes16 = Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]
Bytes20 = Annotated[bytes, msgspec.Meta(min_length=20, max_length=20)]
Bytes32 = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
Bytes64 = Annotated[bytes, msgspec.Meta(min_length=64, max_length=64)]

MAX_BATCH = 1024
"""Envelopes in one deposit, fetch or acknowledgement."""


@dataclass_transform(frozen_default=True, field_specifiers=(msgspec.field,))
class Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Base of every message: frozen, closed, defaults left out on the wire."""

    def __repr__(self) -> str:
        # The type only: fields hold capabilities, passphrases, addresses and bodies.
        return f"<{type(self).__name__}>"


class Authorisation(Message):
    """Proof of the fetch key over this request (SPEC.md, "Mailbox authorisation")."""

    nonce: Bytes32
    signature: Bytes64


class Nonces(Message):
    """Single-use nonces, each good for `seconds`."""

    nonces: list[Bytes32]
    seconds: int


class WorkChallenge(Message):
    """An Argon2id puzzle: find a solution whose hash has `bits` leading zero bits."""

    challenge: Annotated[bytes, msgspec.Meta(max_length=64)]
    memory_kib: int
    passes: int
    bits: int
    seconds: int


class WorkSolution(Message):
    """The answer to a `WorkChallenge`."""

    challenge: Annotated[bytes, msgspec.Meta(max_length=64)]
    solution: Annotated[bytes, msgspec.Meta(max_length=16)]


class PeerProof(Message):
    """A box proves its identity: a box signature over the nonce and this relay's host."""

    identity: Bytes32
    nonce: Bytes32
    signature: Bytes64


class GrantRequest(Message):
    """Ask a relay for a grant, with work (policy open) or as a peer (policy peers)."""

    work: WorkSolution | None = None
    peer: PeerProof | None = None


class Grant(Message):
    """A right to keep mailboxes at a relay. `secret` is shown once; the relay keeps its hash."""

    secret: Bytes32
    mailboxes: int
    octets: int
    expires_hour: int


class CreateMailbox(Message):
    """Create a mailbox under a grant; the same request again is answered alike."""

    grant: Bytes32
    fetch_key: Bytes32
    capability_hash: Bytes32
    kind: Literal["contact", "request"]
    auth: Authorisation


class DeleteMailbox(Message):
    """Delete a mailbox and all it holds."""

    mailbox: Bytes20
    auth: Authorisation


class MailboxState(Message):
    """What a relay tells the owner of a mailbox."""

    mailbox: Bytes20
    held: int
    octets: int
    held_limit: int
    octets_limit: int


class DepositGroup(Message):
    """Envelopes for one mailbox."""

    mailbox: Bytes20
    capability: Bytes32
    ttl_hours: int
    envelopes: Annotated[list[bytes], msgspec.Meta(min_length=1, max_length=MAX_BATCH)]


class Deposit(Message):
    """A batch of envelopes for one or many mailboxes."""

    groups: Annotated[list[DepositGroup], msgspec.Meta(min_length=1, max_length=MAX_BATCH)]


class Outcome(Message):
    """What became of one envelope: "held", "already held", or the code of a refusal."""

    state: str
    expires_hour: int = 0


class Deposited(Message):
    """One list of outcomes per group, in the order of the request. Sent after the commit."""

    groups: list[list[Outcome]]


class Fetch(Message):
    """Read envelopes in order of arrival; `acknowledge` first removes those (by envelope id)."""

    mailbox: Bytes20
    auth: Authorisation
    limit: Annotated[int, msgspec.Meta(ge=0, le=MAX_BATCH)] = 64
    after: Annotated[int, msgspec.Meta(ge=0)] = 0
    acknowledge: Annotated[list[Bytes16], msgspec.Meta(max_length=MAX_BATCH)] = []


class FetchedEnvelope(Message):
    """One envelope with its arrival number at this relay."""

    number: int
    expires_hour: int
    envelope: bytes


class Fetched(Message):
    """Envelopes after `after`; `more` when others follow; `nonce` for the next request."""

    envelopes: list[FetchedEnvelope]
    more: bool
    removed: int = 0
    nonce: bytes = b""


class Acknowledge(Message):
    """Remove envelopes by id. Ids that are not held any more are passed over."""

    mailbox: Bytes20
    envelopes: Annotated[list[Bytes16], msgspec.Meta(min_length=1, max_length=MAX_BATCH)]
    auth: Authorisation


class Acknowledged(Message):
    """How many were removed; `nonce` for the next request."""

    removed: int
    nonce: bytes = b""


class Subscribe(Message):
    """On a stream: say "look" when an envelope arrives in this mailbox."""

    mailbox: Bytes20
    auth: Authorisation


class RelayInfo(Message):
    """What a relay offers: policy, bounds and limits."""

    version: int
    policy: Literal["open", "invite", "peers", "closed"]
    sizes: list[int]
    ttl_default_hours: int
    ttl_max_hours: int
    contact_envelopes: int
    contact_octets: int
    request_envelopes: int
    request_octets: int
    work: WorkChallenge | None = None
