"""The member's API of a box, typed: every call a client makes for the account that is signed in."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final, TypeVar

from appliance.client.http import Http
from appliance.client.person.line import Line, Lost
from appliance.protocol import account, codec, directory, post, vault

T = TypeVar("T")

LONG_POLL_SECONDS: Final = 60.0


class Member:
    """One sign-in at a box, whose cookies `http` keeps; raises the box's Refusal, or Unanswered."""

    def __init__(self, http: Http) -> None:
        self.http = http
        self.line = Line()
        """Carries small things while the event socket is open."""

    # The account

    async def door(self) -> account.Door:
        """Who may register here, and how."""
        return await self.get("/v1/door", account.Door)

    async def register(self, value: account.Register) -> account.Session:
        """Make an account; the same again is answered alike."""
        return await self.post("/v1/accounts", account.Session, value)

    async def parameters(self, name: str) -> account.Kdf:
        """How the passphrase of a name is stretched."""
        return await self.post("/v1/session/parameters", account.Kdf, account.NameQuery(name))

    async def sign_in(self, value: account.SignIn) -> account.Session:
        """Sign in by passphrase."""
        return await self.post("/v1/session", account.Session, value)

    async def sign_in_by_code(self, value: account.SignInByCode) -> account.Session:
        """Sign in by a backup code, which is used up; the same again is answered alike."""
        return await self.post("/v1/session/code", account.Session, value)

    async def put_link(self, value: account.PutLink) -> None:
        """Leave a packet for a device that is being added."""
        await self.post("/v1/links", dict[str, Any], value)

    async def take_link(self, value: account.TakeLink) -> account.Linked:
        """Sign in by what another device left."""
        return await self.post("/v1/links/take", account.Linked, value)

    async def session(self) -> account.Session:
        """The present sign-in; Refusal sign_in or session_ended."""
        return await self.get("/v1/session", account.Session)

    async def sign_out(self) -> None:
        """End this sign-in."""
        await self._call("DELETE", "/v1/session", dict[str, Any])

    async def bind(self, device: bytes) -> None:
        """This sign-in speaks for a device from now on."""
        await self.post("/v1/session/device", dict[str, Any], account.BindDevice(device))

    async def replace_codes(self, value: account.ReplaceCodes) -> None:
        """New backup codes."""
        await self.post("/v1/account/codes", dict[str, Any], value)

    # People

    async def look_up(self, address: str, size: int = 0) -> directory.Found:
        """Somebody's signed entry with proof, and their devices' bundles; nothing is verified here."""
        return await self.post("/v1/people", directory.Found, directory.FarLookUp(address, size))

    async def take_prekeys(self, address: str, devices: list[bytes]) -> directory.Taken:
        """One one-time prekey of each device."""
        return await self.post("/v1/people/prekeys", directory.Taken, directory.FarTake(address, devices))

    async def publish(self, value: directory.Publish) -> directory.Published:
        """New entry, bundle or one-time prekeys."""
        return await self.post("/v1/prekeys", directory.Published, value)

    async def published(self) -> directory.Published:
        """What the box has of this device."""
        return await self.get("/v1/prekeys", directory.Published)

    async def here(self, visible: bool) -> None:
        """Whether other members see that this one is here."""
        await self.post("/v1/presence", dict[str, Any], post.Presence(visible))

    async def listening(self) -> post.Listening:
        """Which of the account's devices hear what happens."""
        return await self.get("/v1/listening", post.Listening)

    # The vault

    async def read_vault(self, ids: list[bytes]) -> vault.Records:
        """Records by id."""
        return await self.post("/v1/vault/read", vault.Records, vault.Read(ids))

    async def follow_vault(self, after: int) -> vault.Records:
        """Records changed after a revision."""
        return await self.get(f"/v1/vault?after={after}", vault.Records)

    async def change_vault(
        self,
        put: list[vault.Put],
        remove: list[vault.Remove],
        dispatches: Sequence[post.Dispatch] = (),
        done: Sequence[int] = (),
    ) -> vault.Changed:
        """Change records, all or none; with it go dispatches, and what was read. Refusal vault_conflict."""
        change = vault.Change(put, remove, list(dispatches), list(done))
        return await self.post("/v1/vault", vault.Changed, change)

    # The post

    async def want_mailboxes(self, handles: list[bytes]) -> post.AllRoutes:
        """The routes of this device's mailboxes, made where they were missing."""
        return await self.post("/v1/mailboxes/mine", post.AllRoutes, post.WantMailboxes(handles))

    async def drop_mailboxes(self, handles: list[bytes]) -> None:
        """Give mailboxes up."""
        await self.post("/v1/mailboxes/drop", dict[str, Any], post.DropMailboxes(handles))

    async def dispatch(self, value: post.Dispatch) -> post.DispatchState:
        """Hand envelopes over; durable once answered, and the same again is answered alike."""
        return await self.post("/v1/dispatch", post.DispatchState, value)

    async def dispatches(self) -> post.Dispatches:
        """What is on its way, and what was done within the last day."""
        return await self.get("/v1/dispatch", post.Dispatches)

    async def queue(self, after: int, limit: int) -> post.Queue:
        """Envelopes that wait for this device."""
        return await self.get(f"/v1/queue?after={after}&limit={limit}", post.Queue)

    async def settle(self, done: list[int], keep: list[int]) -> None:
        """Remove envelopes from the queue, or keep them as attachments."""
        await self.post("/v1/queue/settle", dict[str, Any], post.Settle(done, keep))

    async def read_kept(self, ids: list[bytes]) -> list[bytes | None]:
        """Kept envelopes in the order asked."""
        return (await self.post("/v1/kept/read", post.Kept, post.ReadKept(ids))).envelopes

    async def lacking(self, ids: list[bytes]) -> list[bytes]:
        """Those of the ids that the box does not keep for the account."""
        return (await self.post("/v1/kept/lacking", post.Lacking, post.ReadKept(ids))).ids

    async def keep(self, envelopes: list[bytes]) -> None:
        """Keep envelopes of one's own."""
        await self.post("/v1/kept", dict[str, Any], post.Keep(envelopes))

    async def drop_kept(self, ids: list[bytes]) -> None:
        """Remove kept envelopes."""
        await self.post("/v1/kept/drop", dict[str, Any], post.DropKept(ids))

    async def ticket(self) -> str:
        """Opens one event socket within 30 seconds."""
        return (await self._call("POST", "/v1/events/ticket", post.Ticket)).ticket

    async def events(self, stream: bytes, after: int) -> post.Events:
        """Events after a number; waits for some, at most 25 seconds."""
        word = codec.to_text(stream)
        return await self._call(
            "GET", f"/v1/events?stream={word}&after={after}", post.Events, seconds=LONG_POLL_SECONDS
        )

    async def get(self, path: str, kind: type[T]) -> T:
        """Ask for a value."""
        return await self._call("GET", path, kind)

    async def post(self, path: str, kind: type[T], value: Any) -> T:
        """Hand a value over."""
        with suppress(Lost):
            return await self.line.ask(path, value, kind)
        return await self._call("POST", path, kind, value)

    async def patch(self, path: str, kind: type[T], value: Any) -> T:
        """Change what a value names."""
        return await self._call("PATCH", path, kind, value)

    async def _call(
        self, method: str, path: str, kind: type[T], value: Any = None, seconds: float = 120.0
    ) -> T:
        return await self.http.call(method, path, kind, value, media=codec.CBOR, seconds=seconds)
