"""The owner's desk from outside: every call of the owner API, typed."""

from __future__ import annotations

import os
import re
from typing import Any, Final, Self
from urllib.parse import quote

from appliance.client.entrance import Entrance
from appliance.client.http import Http
from appliance.client.moderation import Moderation
from appliance.client.stretching import stretched
from appliance.errors import Refusal
from appliance.protocol import codec
from appliance.protocol.account import (
    ChangeMember,
    Door,
    Invite,
    Invites,
    Kdf,
    Member,
    Members,
    NameQuery,
    NewInvite,
    Register,
    Session,
    SignIn,
)
from appliance.protocol.desk import (
    ChangeSettings,
    GrantCode,
    Health,
    Identity,
    Minimised,
    NewGrant,
    NewReader,
    NewReaderKey,
    NewTitle,
    Protection,
    Reader,
    ReaderKeys,
    Readers,
    RelayLoad,
    Settings,
    State,
    UsedRelay,
    UsedRelays,
    UseRelay,
)
from appliance.protocol.passphrase import wrap

# Argon2id on a small machine, and a relay that is asked over Tor, take their time.
SLOW_SECONDS: Final = 180.0
SHORTEST_PASSPHRASE: Final = 8
LABEL: Final = "command line"
"""What this client is called in the list of sign-ins."""


class Desk:
    """The owner's desk of one box; raises the box's Refusal, or Unanswered."""

    def __init__(self, entrance: Entrance) -> None:
        self.http = Http(entrance)
        self.moderation = Moderation(self.http)

    async def __aenter__(self) -> Self:
        await self.http.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> None:
        await self.http.__aexit__(*error)

    async def state(self, after: int | None = None) -> State:
        """The state now; with `after`, as soon as its revision is newer (at most some 25 s)."""
        return await self.http.call("GET", "/v1/state" + ("" if after is None else f"?after={after}"), State)

    async def door(self) -> Door:
        """Who may make an account, and how a passphrase must be stretched."""
        return await self.http.call("GET", "/v1/door", Door)

    async def claim(self, token: str, name: str, passphrase: str, *, protect: bool = False) -> Session:
        """Make the box one's own: an account named like `name` as far as it can be, and the box's title.

        Refusal weak_passphrase: the box cannot tell, since it never sees the passphrase.
        """
        if len(passphrase) < SHORTEST_PASSPHRASE:
            raise Refusal("weak_passphrase", least=SHORTEST_PASSPHRASE)
        door = await self.door()
        kdf = Kdf(os.urandom(16), door.kdf_memory_kib, door.kdf_passes)
        account, keys = os.urandom(16), await stretched(self.http.entrance, passphrase, kdf)
        value = Register(
            account=account,
            name=account_name(name),
            kdf=kdf,
            authentication=keys.authentication,
            wrapped=wrap(keys.wrapping, account, os.urandom(32), os.urandom(24)),
            label=LABEL,
            invite=token,
            protect=protect,
        )
        session = await self.http.call("POST", "/v1/accounts", Session, value, seconds=SLOW_SECONDS)
        if session.name != name:
            await self.rename(name)
        return session

    async def sign_in(self, passphrase: str, name: str = "", totp: str | None = None) -> Session:
        """Sign in, as the first owner at the control socket if no name is given; opens a locked box."""
        name = name or (await self.state()).name
        value = SignIn(name=name, authentication=await self._prove(name, passphrase), label=LABEL, totp=totp)
        return await self.http.call("POST", "/v1/session", Session, value, seconds=SLOW_SECONDS)

    async def protect(self, passphrase: str, protect: bool) -> None:
        """Let the box start locked until this owner signs in, or no longer."""
        proof = await self._prove((await self.state()).name, passphrase)
        content = codec.write(Protection(authentication=proof, protect=protect), codec.JSON)
        await self.http.exchange("POST", "/v1/protection", content, seconds=SLOW_SECONDS)

    async def rename(self, title: str) -> None:
        """Change what the box is called."""
        await self.http.exchange("POST", "/v1/name", codec.write(NewTitle(name=title), codec.JSON))

    async def invites(self) -> list[Invite]:
        """Invites that are still good."""
        return (await self.http.call("GET", "/v1/invites", Invites)).invites

    async def invite(self, value: NewInvite) -> Invite:
        """Make an invite; its code and link are told this once."""
        return await self.http.call("POST", "/v1/invites", Invite, value, seconds=SLOW_SECONDS)

    async def uninvite(self, invite: bytes) -> None:
        """Take an invite back."""
        await self.http.exchange("DELETE", f"/v1/invites/{codec.to_text(invite)}", seconds=SLOW_SECONDS)

    async def members(self) -> list[Member]:
        """Every account of the box by name."""
        return (await self.http.call("GET", "/v1/members", Members)).members

    async def change_member(self, account: bytes, value: ChangeMember) -> Member:
        """Change a role, or suspend."""
        return await self.http.call("PATCH", f"/v1/members/{codec.to_text(account)}", Member, value)

    async def remove_member(self, account: bytes) -> None:
        """Delete an account with all that belongs to it."""
        await self.http.exchange("DELETE", f"/v1/members/{codec.to_text(account)}", seconds=SLOW_SECONDS)

    async def _prove(self, name: str, passphrase: str) -> bytes:
        kdf = await self.http.call("POST", "/v1/session/parameters", Kdf, NameQuery(name=name))
        return (await stretched(self.http.entrance, passphrase, kdf)).authentication

    async def identity(self) -> Identity:
        """Address and name of the box."""
        return await self.http.call("GET", "/v1/identity", Identity)

    async def load(self) -> RelayLoad:
        """What the relay of this box holds for others."""
        return await self.http.call("GET", "/v1/relay/load", RelayLoad)

    async def grant(self, value: NewGrant) -> GrantCode:
        """Invite somebody to keep mailboxes here."""
        return await self.http.call("POST", "/v1/relay/grants", GrantCode, value)

    async def revoke(self, grant: str) -> None:
        """Take a grant back, with all that is kept under it."""
        await self.http.exchange("DELETE", f"/v1/relay/grants/{quote(grant)}")

    async def relays(self) -> list[UsedRelay]:
        """Relays this box uses."""
        return (await self.http.call("GET", "/v1/relays", UsedRelays)).relays

    async def use_relay(self, code: str) -> UsedRelay:
        """Keep mailboxes at a relay: by its invitation, or its address alone."""
        return await self.http.call(
            "POST", "/v1/relays", UsedRelay, UseRelay(code=code), seconds=SLOW_SECONDS
        )

    async def leave_relay(self, address: str) -> None:
        """Give up a relay."""
        await self.http.exchange("DELETE", f"/v1/relays/{quote(address)}", seconds=SLOW_SECONDS)

    async def readers(self) -> list[Reader]:
        """Who may reach the closed onion; empty is everyone."""
        return (await self.http.call("GET", "/v1/readers", Readers)).readers

    async def add_reader(self, name: str, key: str | None = None) -> Reader:
        """Let one more in; without a key the box makes a pair and tells the private half once."""
        value = NewReader(name=name, key=key)
        return await self.http.call("POST", "/v1/readers", Reader, value, seconds=SLOW_SECONDS)

    async def remove_reader(self, name: str) -> None:
        """Shut somebody out."""
        await self.http.exchange("DELETE", f"/v1/readers/{quote(name)}", seconds=SLOW_SECONDS)

    async def reader_keys(self) -> list[str]:
        """Closed onions we hold a key for."""
        return (await self.http.call("GET", "/v1/reader-keys", ReaderKeys)).addresses

    async def add_reader_key(self, address: str, key: str) -> None:
        """Keep our key to somebody's closed onion."""
        content = codec.write(NewReaderKey(address=address, key=key), codec.JSON)
        await self.http.exchange("POST", "/v1/reader-keys", content)

    async def remove_reader_key(self, address: str) -> None:
        """Forget our key to a closed onion."""
        await self.http.exchange("DELETE", f"/v1/reader-keys/{quote(address)}")

    async def health(self) -> Health:
        """How the box is."""
        return await self.http.call("GET", "/v1/health", Health)

    async def minimised(self) -> Minimised:
        """What the box forgot when it minimised last."""
        return await self.http.call("GET", "/v1/minimise", Minimised)

    async def minimise(self) -> Minimised:
        """Let it do so now."""
        return await self.http.call("POST", "/v1/minimise", Minimised, seconds=SLOW_SECONDS)

    async def settings(self) -> Settings:
        """Every setting."""
        return await self.http.call("GET", "/v1/settings", Settings)

    async def change_settings(self, values: dict[str, Any]) -> Settings:
        """New values; None goes back to the default."""
        return await self.http.call("PATCH", "/v1/settings", Settings, ChangeSettings(values=values))


def account_name(name: str) -> str:
    """An account name made of a person's name: lower case, other characters become hyphens."""
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:32].strip("-")
    return plain or "owner"
