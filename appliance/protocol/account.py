"""Accounts on the wire: registration, invites, sign-in, second factor, backup codes, devices, linking."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from appliance.protocol.messages import Bytes16, Bytes32, Message, WorkChallenge, WorkSolution

MAX_DEVICES = 16
CODES = 8
"""Backup codes made at once."""
WRAPPED_SIZE = 72
"""Octets of a wrapped vault key: nonce 24, key 32, tag 16."""
MAX_LINK_OCTETS = 4096

AccountName = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9](?:[a-z0-9._-]{0,30}[a-z0-9])?$(?!\n)")]
"""What stands before the @ of an address: 1 to 32 of a–z, 0–9, dot, underscore, hyphen."""
DeviceLabel = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Wrapped = Annotated[bytes, msgspec.Meta(min_length=WRAPPED_SIZE, max_length=WRAPPED_SIZE)]
TotpCode = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{6}$(?!\n)")]
Role = Literal["owner", "admin", "moderator", "member", "agent"]
Registration = Literal["open", "invite", "closed"]
Allowance = Literal["yes", "no", "by karma"]
"""Whether an account may post, or upload: whatever its karma, not at all, or from a karma on."""
Area = Literal["boards", "channels"]
Reason = Annotated[str, msgspec.Meta(max_length=500)]
"""Words of those who look after the box to somebody they act upon."""


class Kdf(Message, omit_defaults=False):
    """How a passphrase is stretched (Argon2id, p = 1): 16 octets of salt, memory, passes."""

    salt: Bytes16
    memory_kib: Annotated[int, msgspec.Meta(ge=8, le=1 << 20)]
    passes: Annotated[int, msgspec.Meta(ge=1, le=16)]


class Door(Message, omit_defaults=False):
    """What somebody at the door may know: who may register, and the puzzle to solve for it.

    A passphrase must be stretched with at least `kdf_memory_kib` and `kdf_passes`. `branding` is the
    revision of what `GET /v1/branding` says.
    """

    claimed: bool
    registration: Registration
    title: str
    kdf_memory_kib: int
    kdf_passes: int
    work: WorkChallenge | None = None
    branding: bytes = b""


class InviteCheck(Message):
    """Ask whether an invite is good, before typing a name."""

    code: Annotated[str, msgspec.Meta(max_length=128)]


class InviteState(Message, omit_defaults=False):
    """A good invite: the role it gives and the second at which it ends."""

    role: Role
    expires: int


class Register(Message):
    """A new account. `invite` may be the claim token of a box without owner (role owner).

    `authentication` is derived from the passphrase; `wrapped` is the vault key under the wrapping key.
    """

    account: Bytes16
    name: AccountName
    kdf: Kdf
    authentication: Bytes32
    wrapped: Wrapped
    label: DeviceLabel
    invite: Annotated[str, msgspec.Meta(max_length=128)] = ""
    work: WorkSolution | None = None
    protect: bool = False
    """Only with a claim token: the box starts locked and opens when the owner signs in."""


class NameQuery(Message):
    """Ask for the stretching parameters of a name; every name has some."""

    name: AccountName


class SignIn(Message):
    """Sign in by passphrase: `totp` when the account has a second factor.

    `grant` names a session family of this browser to be ended and replaced; unused otherwise.
    """

    name: AccountName
    authentication: Bytes32
    label: DeviceLabel
    totp: TotpCode | None = None


class SignInByCode(Message):
    """Sign in by one backup code, which is used up; passphrase and second factor are set anew after it.

    `attempt` is the client's own word: with it the same again is let in while nobody has used the answer.
    """

    name: AccountName
    authentication: Bytes32
    label: DeviceLabel
    attempt: Bytes16 | None = None


class Session(Message, omit_defaults=False):
    """Signed in: the tokens travel in cookies only. `wrapped` opens the vault.

    `session` identifies this sign-in in the list of sessions. `epoch` is the store's: another value than
    the one remembered means that the box was restored from a backup.
    """

    account: bytes
    name: str
    role: Role
    onion: str
    session: bytes
    wrapped: bytes
    epoch: bytes
    totp: bool
    codes_left: int
    by_code: bool = False


class SessionRow(Message, omit_defaults=False):
    """One sign-in: its label, device if one is bound to it, hours of begin and last use."""

    session: bytes
    label: str
    device: bytes | None
    started_hour: int
    used_hour: int
    current: bool


class Sessions(Message, omit_defaults=False):
    """Every place where the account is signed in."""

    sessions: list[SessionRow]


class BindDevice(Message):
    """This session speaks for a device from now on (its mailboxes, prekeys and events)."""

    device: Bytes16


class ChangePassphrase(Message):
    """New stretching, verifier and wrapped key; `old` is the present authentication key.

    After a sign-in by code within the same session `old` may be left out.
    """

    kdf: Kdf
    authentication: Bytes32
    wrapped: Wrapped
    old: Bytes32 | None = None


class Confirm(Message):
    """Proof of the passphrase for what cannot be undone."""

    authentication: Bytes32


class Code(Message):
    """One backup code: what proves it, and the vault key under it."""

    authentication: Bytes32
    wrapped: Wrapped


class ReplaceCodes(Message):
    """New backup codes; the old ones end."""

    codes: Annotated[list[Code], msgspec.Meta(min_length=CODES, max_length=CODES)]
    confirm: Bytes32 | None = None
    """The authentication key; may be left out when the account has no codes yet."""


class TotpBegin(Message):
    """Ask for a new second-factor secret."""

    authentication: Bytes32


class TotpSecret(Message, omit_defaults=False):
    """The secret to be put in an authenticator app; not in force before `TotpConfirm`."""

    secret: bytes
    uri: str


class TotpConfirm(Message):
    """A code of the new secret puts it in force; the same again is answered alike."""

    totp: TotpCode


class NewInvite(Message):
    """Make an invite: how many may use it, until when, with which role, and with an onion reader key."""

    uses: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 1
    hours: Annotated[int, msgspec.Meta(ge=1, le=24 * 90)] = 168
    role: Literal["admin", "moderator", "member", "agent"] = "member"
    reader: bool = False
    note: Annotated[str, msgspec.Meta(max_length=64)] = ""


class Invite(Message, omit_defaults=False):
    """One invite in the list; `code` and `reader_key` only in the answer that makes it."""

    id: bytes
    role: Role
    uses: int
    left: int
    expires: int
    note: str
    code: str | None = None
    link: str | None = None
    reader_key: str | None = None


class Invites(Message, omit_defaults=False):
    """Every invite that is still good."""

    invites: list[Invite]


class BanRow(Message, omit_defaults=False):
    """Somebody may not write in an area, or in one board or channel of it; `until` a second, 0 for ever."""

    area: Area
    place: bytes | None
    until: int


class Member(Message, omit_defaults=False):
    """One account of the box as those see it who look after the box.

    `suspended_until` is the second at which a suspension ends by itself, 0 for none or no end.
    """

    account: bytes
    name: str
    role: Role
    created_hour: int
    used_hour: int
    sessions: int
    suspended: bool
    octets: int
    suspended_until: int = 0
    reason: str = ""
    can_post: Allowance = "by karma"
    can_upload: Allowance = "by karma"
    karma: int = 0
    bans: list[BanRow] = msgspec.field(default_factory=list)


class Members(Message, omit_defaults=False):
    """Every account of the box."""

    members: list[Member]


class ChangeMember(Message):
    """Change a member's role or what they may do, or suspend them (their sessions end at once).

    `until` is the second at which the suspension ends by itself; without it somebody must end it. `reason`
    is shown to whoever is suspended when they try to sign in.
    """

    role: Role | None = None
    suspended: bool | None = None
    until: Annotated[int, msgspec.Meta(ge=0, lt=1 << 40)] | None = None
    reason: Reason = ""
    can_post: Allowance | None = None
    can_upload: Allowance | None = None


class ChangeBan(Message):
    """Ban a member from writing in an area, or in one board or channel of it; or lift that ban.

    `until` is the second at which it ends by itself; without it somebody must lift it.
    """

    area: Area
    place: Bytes16 | None = None
    until: Annotated[int, msgspec.Meta(ge=0, lt=1 << 40)] | None = None
    lift: bool = False


class PutLink(Message):
    """Leave a sealed packet for a device that is being added: read once, within five minutes."""

    id: Bytes16
    packet: Annotated[bytes, msgspec.Meta(max_length=MAX_LINK_OCTETS)]


class TakeLink(Message):
    """Take the packet; the box signs the taker in to the account that left it."""

    id: Bytes16
    label: DeviceLabel


class Linked(Message, omit_defaults=False):
    """The packet, and the session it opens."""

    packet: bytes
    session: Session
