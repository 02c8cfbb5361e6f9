"""Opening an account: its core at work while a block runs, with or without a profile to come back to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import trio

from appliance.client.http import Http
from appliance.client.person import profile as profiles
from appliance.client.person.core import Core, Options
from appliance.client.person.entering import Entered
from appliance.client.person.member import Member
from appliance.client.person.profile import Profile
from appliance.client.person.seat import Remembered
from appliance.client.person.vault import Displaced
from appliance.errors import Refusal, cause


def saver(path: Path, kept: Profile, http: Http) -> Callable[[Remembered], None]:
    """Writes the profile anew: when the seat goes on, and when other cookies take the place of the old."""
    last = kept.seat

    def write() -> None:
        profiles.save(path, msgspec.structs.replace(kept, cookies=dict(http.cookies), seat=last))

    def save(seat: Remembered) -> None:
        nonlocal last
        last = seat
        write()

    http.renewed = write
    return save


@asynccontextmanager
async def opened(http: Http, entered: Entered, profile: Path | None, options: Options) -> AsyncIterator[Core]:
    """Open after a sign-in; what is needed to come back goes into the profile."""
    if profile is None:
        async with followed(http, entered, None, None, options) as core:
            yield core
        return
    with profiles.locked(profile):
        kept = profiles.made(http, entered, profiles.seat_of(profile, entered))
        profiles.save(profile, kept)
        save, sealed = saver(profile, kept, http), profiles.sealed(profile)
        async with followed(http, entered, kept.seat, save, options, sealed) as core:
            yield core


@asynccontextmanager
async def followed(
    http: Http,
    entered: Entered,
    seat: Remembered | None,
    save: Callable[[Remembered], None] | None,
    options: Options,
    sealed: Path | None = None,
) -> AsyncIterator[Core]:
    """The core at work while the block runs; errors come out of it without groups around them.

    Refusal in_use when another client sits on this device meanwhile: opened again, this one finds a new seat.
    """
    core = Core(Member(http), entered, options, seat, save or _forget, sealed)
    failure: Exception | None = None
    try:
        async with trio.open_nursery() as nursery:
            await core.open(nursery)
            try:
                yield core
            except Exception as error:
                failure = error
            finally:
                # Without a profile nobody comes back to this seat: it is left to the next one.
                await core.close(leave=save is None)
                nursery.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        first = cause(group)
        if not isinstance(first, Exception):
            raise
        failure = first
    if isinstance(failure, Displaced):
        raise Refusal("in_use", reason="another client has taken this device's place") from failure
    if failure is not None:
        raise failure


def _forget(seat: Remembered) -> None:
    """Nothing is kept without a profile."""
