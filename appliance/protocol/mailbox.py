"""Mailbox identity and authorisation: ids from fetch keys, hashed capabilities, signed requests."""

from __future__ import annotations

import hashlib
from typing import Any, Final, Literal, NewType, TypeVar

import msgspec

from appliance.protocol import codec
from appliance.protocol.keys import DOMAIN, SigningKey, verify
from appliance.protocol.messages import (
    Acknowledge,
    Authorisation,
    CreateMailbox,
    DeleteMailbox,
    Fetch,
    Message,
    PeerProof,
    Subscribe,
)

MailboxId = NewType("MailboxId", bytes)
"""20 bytes, from the mailbox's fetch key."""
Operation = Literal["create", "delete", "fetch", "acknowledge", "subscribe"]
SignedRequest = CreateMailbox | DeleteMailbox | Fetch | Acknowledge | Subscribe
R = TypeVar("R", CreateMailbox, DeleteMailbox, Fetch, Acknowledge, Subscribe)

OPERATIONS: Final[dict[type[Message], Operation]] = {
    CreateMailbox: "create",
    DeleteMailbox: "delete",
    Fetch: "fetch",
    Acknowledge: "acknowledge",
    Subscribe: "subscribe",
}
"""Which operation each signed request asks for."""

NONCE_SIZE: Final = 32
BLANK: Final = Authorisation(nonce=bytes(NONCE_SIZE), signature=bytes(64))
"""Stands in a request until it is signed; never part of what is signed."""

_CONTEXT: Final = "mailbox"
_PEER_CONTEXT: Final = "peer"


def mailbox_id(fetch_public: bytes) -> MailboxId:
    """The id of the mailbox that belongs to this 32-byte fetch key."""
    return MailboxId(hashlib.sha256(DOMAIN + b"mailbox" + fetch_public).digest()[:20])


def capability_hash(capability: bytes) -> bytes:
    """The 32 bytes a relay keeps of a 32-byte capability."""
    return hashlib.sha256(DOMAIN + b"capability" + capability).digest()


def mailbox_of(request: SignedRequest) -> MailboxId:
    """The mailbox a signed request is about."""
    if isinstance(request, CreateMailbox):
        return mailbox_id(request.fetch_key)
    return MailboxId(request.mailbox)


def unsigned(message: Message) -> bytes:
    """Deterministic CBOR of a request without its `auth`, defaults left out: what its hash covers."""
    body: dict[str, Any] = msgspec.to_builtins(message, builtin_types=(bytes,))
    body.pop("auth", None)
    return codec.encode(body)


def authorise(
    key: SigningKey, host: str, operation: Operation, mailbox: bytes, body: Message | bytes, nonce: bytes
) -> Authorisation:
    """Sign one request with the fetch key; `body` is the message or its `unsigned` bytes."""
    signature = key.sign(_CONTEXT, _binding(host, operation, mailbox, body, nonce))
    return Authorisation(nonce=nonce, signature=signature)


def sign_request(key: SigningKey, host: str, nonce: bytes, request: R) -> R:
    """The same request with its `auth` (BLANK until now) made by the fetch key for this host."""
    operation = OPERATIONS[type(request)]
    auth = authorise(key, host, operation, mailbox_of(request), request, nonce)
    return msgspec.structs.replace(request, auth=auth)


def verify_authorisation(
    fetch_public: bytes, host: str, operation: Operation, mailbox: bytes, message: SignedRequest
) -> None:
    """Refusal signature unless the fetch key signed exactly this request for this host.

    Whether the nonce is fresh is the caller's to check.
    """
    binding = _binding(host, operation, mailbox, message, message.auth.nonce)
    verify(fetch_public, message.auth.signature, _CONTEXT, binding)


def verify_request(fetch_public: bytes, host: str, request: SignedRequest) -> None:
    """`verify_authorisation` with the operation and the mailbox the request itself names."""
    verify_authorisation(fetch_public, host, OPERATIONS[type(request)], mailbox_of(request), request)


def prove_peer(identity: SigningKey, host: str, nonce: bytes) -> PeerProof:
    """A box proves its identity to the relay at `host`."""
    signature = identity.sign(_PEER_CONTEXT, codec.encode([host, nonce]))
    return PeerProof(identity=identity.public, nonce=nonce, signature=signature)


def verify_peer(proof: PeerProof, host: str) -> None:
    """Refusal signature unless the identity signed this nonce for this host."""
    verify(proof.identity, proof.signature, _PEER_CONTEXT, codec.encode([host, proof.nonce]))


def _binding(host: str, operation: str, mailbox: bytes, body: Message | bytes, nonce: bytes) -> bytes:
    octets = body if isinstance(body, bytes) else unsigned(body)
    return codec.encode([host, operation, mailbox, hashlib.sha256(octets).digest(), nonce])
