"""A relay over HTTP: every operation of the wire, signed where it must be."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final, Literal, Self, TypeVar

import trio

from appliance.client.entrance import Entrance
from appliance.client.http import MOST_OCTETS, Http
from appliance.errors import Refusal
from appliance.protocol.codec import CBOR
from appliance.protocol.keys import SigningKey
from appliance.protocol.mailbox import BLANK, MailboxId, capability_hash, mailbox_id, sign_request
from appliance.protocol.messages import (
    Acknowledge,
    Acknowledged,
    CreateMailbox,
    DeleteMailbox,
    Deposit,
    Deposited,
    Fetch,
    Fetched,
    Grant,
    GrantRequest,
    MailboxState,
    Message,
    Nonces,
    RelayInfo,
)
from appliance.protocol.room import MAX_PAGE_OCTETS, FetchRoom, RoomPage, sign_fetch

T = TypeVar("T")
R = TypeVar("R", CreateMailbox, DeleteMailbox, Fetch, Acknowledge)

NONCES_AT_ONCE: Final = 8


class Relay:
    """One relay; `host` is its onion address, which every signature names."""

    def __init__(self, entrance: Entrance, host: str) -> None:
        self.http = Http(entrance)
        self.host = host
        self._nonces: deque[tuple[float, bytes]] = deque()
        self._life = 0.0

    async def __aenter__(self) -> Self:
        await self.http.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> None:
        await self.http.__aexit__(*error)

    async def info(self) -> RelayInfo:
        """What the relay offers."""
        return await self.http.call("GET", "/v1/relay", RelayInfo, media=CBOR)

    async def grant(self, request: GrantRequest) -> Grant:
        """A grant for work done or as a peer."""
        return await self._post("/v1/grants", request, Grant)

    async def create(
        self,
        key: SigningKey,
        capability: bytes,
        grant: bytes,
        kind: Literal["contact", "request"] = "contact",
    ) -> MailboxState:
        """A mailbox that belongs to `key` and takes deposits with the 32-byte `capability`."""
        request = CreateMailbox(
            grant=grant,
            fetch_key=key.public,
            capability_hash=capability_hash(capability),
            kind=kind,
            auth=BLANK,
        )
        return await self._signed("/v1/mailboxes", self._sign(key, request), MailboxState)

    async def delete(self, key: SigningKey) -> None:
        """Delete the mailbox of `key` and all it holds."""
        request = DeleteMailbox(mailbox=mailbox_id(key.public), auth=BLANK)
        await self._signed("/v1/mailboxes/delete", self._sign(key, request), dict)

    async def deposit(self, batch: Deposit) -> Deposited:
        """Deposit a batch; answered after the relay's commit."""
        return await self._post("/v1/deposit", batch, Deposited)

    async def fetch(
        self, key: SigningKey, *, after: int = 0, limit: int = 64, acknowledge: Sequence[bytes] = ()
    ) -> Fetched:
        """Envelopes in order of arrival, after removing those acknowledged."""
        request = Fetch(
            mailbox=mailbox_id(key.public),
            auth=BLANK,
            limit=limit,
            after=after,
            acknowledge=list(acknowledge),
        )
        answer = await self._signed("/v1/fetch", self._sign(key, request), Fetched)
        self._keep(answer.nonce)
        return answer

    async def acknowledge(self, key: SigningKey, envelopes: Sequence[bytes]) -> Acknowledged:
        """Remove envelopes by id."""
        request = Acknowledge(mailbox=mailbox_id(key.public), envelopes=list(envelopes), auth=BLANK)
        answer = await self._signed("/v1/acknowledge", self._sign(key, request), Acknowledged)
        self._keep(answer.nonce)
        return answer

    async def fetch_room(
        self, identity: SigningKey, room: bytes, *, after: int = 0, limit: int = 64
    ) -> RoomPage:
        """Entries of a board there, as the box with this identity."""
        request = FetchRoom(room=room, peer=identity.public, auth=BLANK, after=after, limit=limit)

        def sign(nonce: bytes) -> Message:
            return sign_fetch(identity, self.host, nonce, request)

        answer = await self._signed("/v1/rooms/fetch", sign, RoomPage, MAX_PAGE_OCTETS)
        self._keep(answer.nonce)
        return answer

    async def nonce(self) -> bytes:
        """A nonce that was not used yet and is young enough to be."""
        now = trio.current_time()
        while self._nonces and self._nonces[0][0] <= now:
            self._nonces.popleft()
        if not self._nonces:
            answer = await self.http.call("GET", f"/v1/nonces?count={NONCES_AT_ONCE}", Nonces, media=CBOR)
            # Counted from before the question, and not to the last second: it travels as well.
            self._life = answer.seconds / 2
            self._nonces.extend((now + self._life, nonce) for nonce in answer.nonces)
        return self._nonces.popleft()[1]

    def mailbox(self, key: SigningKey) -> MailboxId:
        """The mailbox of this fetch key."""
        return mailbox_id(key.public)

    def _sign(self, key: SigningKey, request: R) -> Callable[[bytes], Message]:
        return lambda nonce: sign_request(key, self.host, nonce, request)

    async def _signed(
        self, path: str, sign: Callable[[bytes], Message], kind: type[T], most: int = MOST_OCTETS
    ) -> T:
        """The answer to a request that is signed over a nonce."""
        try:
            return await self._post(path, sign(await self.nonce()), kind, most)
        except Refusal as refusal:
            if refusal.code != "nonce":
                raise
        # The relay was started anew or its clock was set: nothing was done, and fresh ones will do.
        self._nonces.clear()
        return await self._post(path, sign(await self.nonce()), kind, most)

    async def _post(self, path: str, message: Message, kind: type[T], most: int = MOST_OCTETS) -> T:
        return await self.http.call("POST", path, kind, message, media=CBOR, most=most)

    def _keep(self, nonce: bytes) -> None:
        if nonce:
            self._nonces.append((trio.current_time() + self._life, nonce))
