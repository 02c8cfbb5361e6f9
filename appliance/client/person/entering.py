"""The ways in: each ends with a sign-in at the box and the vault key. Argon2id runs in a thread."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Final, TypeVar

import trio

from appliance.client.entrance import Unanswered
from appliance.client.person.member import Member
from appliance.client.stretching import stretched
from appliance.errors import Refusal
from appliance.protocol import backup_code, link, work
from appliance.protocol.account import (
    CODES,
    Code,
    Kdf,
    PutLink,
    Register,
    ReplaceCodes,
    Session,
    SignIn,
    SignInByCode,
    TakeLink,
)
from appliance.protocol.messages import WorkChallenge, WorkSolution
from appliance.protocol.passphrase import Stretched, unwrap, wrap

T = TypeVar("T")

SHORTEST: Final = 8
"""Characters of a passphrase."""
REPEATS: Final = 3
MOST_WORK: Final = (1 << 18, 8, 20)
"""Memory in KiB, passes and bits beyond which a puzzle is not worth starting."""


@dataclass(frozen=True)
class Entered:
    """A sign-in, and the key of its vault; `fresh`: the account was made just now."""

    session: Session
    vault_key: bytes = field(repr=False)
    fresh: bool = False


async def register(
    member: Member, name: str, passphrase: str, label: str, invite: str = "", protect: bool = False
) -> Entered:
    """Make an account.

    Refusals: weak_passphrase, weak_stretching, name_taken, registration, invite, wrong_token.
    """
    if len(passphrase) < SHORTEST:
        raise Refusal("weak_passphrase", least=SHORTEST)
    door = await member.door()
    kdf = Kdf(secrets.token_bytes(16), door.kdf_memory_kib, door.kdf_passes)
    keys = await stretched(member.http.entrance, passphrase, kdf)
    account, vault_key = secrets.token_bytes(16), secrets.token_bytes(32)
    solution = None
    if door.work is not None and not invite:
        solution = await trio.to_thread.run_sync(_solve, door.work, abandon_on_cancel=True)
    value = Register(
        account=account,
        name=name,
        kdf=kdf,
        authentication=keys.authentication,
        wrapped=wrap(keys.wrapping, account, vault_key, secrets.token_bytes(24)),
        label=label,
        invite=invite,
        work=solution,
        protect=protect,
    )
    return Entered(await _repeated(partial(member.register, value)), vault_key, fresh=True)


async def _repeated(run: Callable[[], Awaitable[T]]) -> T:
    """The very same again when no answer came: the box answers it alike if it has done it already."""
    for _ in range(REPEATS - 1):
        with suppress(Unanswered):
            return await run()
    return await run()


async def sign_in(member: Member, name: str, passphrase: str, label: str, totp: str | None = None) -> Entered:
    """By passphrase; Refusal weak_stretching, wrong_sign_in, second_factor."""
    keys = await stretched(member.http.entrance, passphrase, await member.parameters(name))
    session = await member.sign_in(SignIn(name, keys.authentication, label, totp))
    return Entered(session, _opened(keys, session))


async def sign_in_by_code(member: Member, name: str, code: str, label: str) -> Entered:
    """By a backup code, which is used up; Refusal malformed, wrong_sign_in."""
    keys = backup_code.keys(backup_code.read(code))
    # Were the answer lost, the code could be used up for nothing.
    value = SignInByCode(name, keys.authentication, label, secrets.token_bytes(16))
    session = await _repeated(partial(member.sign_in_by_code, value))
    return Entered(session, _opened(keys, session))


async def sign_in_by_link(member: Member, address: str, label: str) -> Entered:
    """By the link that another device shows; Refusal malformed, no_link, not_opened."""
    id, secret = link.read_fragment(link.PREFIX + address.rpartition("/")[2])
    linked = await member.take_link(TakeLink(id, label))
    packet = link.open_packet(id, secret, linked.packet)
    return Entered(linked.session, packet.vault_key)


async def leave_link(member: Member, name: str, vault_key: bytes) -> str:
    """Leave what another device needs; the end of the link that takes it, within five minutes, once."""
    id, secret = secrets.token_bytes(16), secrets.token_bytes(32)
    packet = link.seal(id, secret, link.LinkPacket(vault_key, name), secrets.token_bytes(24))
    await member.put_link(PutLink(id, packet))
    return link.fragment(id, secret)


async def new_codes(member: Member, entered: Entered, passphrase: str) -> list[str]:
    """Eight new backup codes, to be written down now; the old ones end."""
    keys = await stretched(member.http.entrance, passphrase, await member.parameters(entered.session.name))
    texts, codes = [], []
    for _ in range(CODES):
        code = secrets.token_bytes(backup_code.SIZE)
        pair = backup_code.keys(code)
        wrapped = wrap(pair.wrapping, entered.session.account, entered.vault_key, secrets.token_bytes(24))
        texts.append(backup_code.write(code))
        codes.append(Code(pair.authentication, wrapped))
    # Were the answer lost, the old codes could be gone and the new ones unknown.
    await _repeated(partial(member.replace_codes, ReplaceCodes(codes, keys.authentication)))
    return texts


def _opened(keys: Stretched, session: Session) -> bytes:
    try:
        return unwrap(keys.wrapping, session.account, session.wrapped)
    except Refusal as error:
        raise Refusal("wrong_sign_in") from error


def _solve(challenge: WorkChallenge) -> WorkSolution:
    if (
        challenge.memory_kib > MOST_WORK[0]
        or challenge.passes > MOST_WORK[1]
        or challenge.bits > MOST_WORK[2]
    ):
        raise Refusal("bad_answer")
    tries = 0
    while not work.is_solved(challenge, tries.to_bytes(8, "big")):
        tries += 1
    return WorkSolution(challenge.challenge, tries.to_bytes(8, "big"))
