"""The profile: what a client keeps on this computer between two runs, in a file only its person may read."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from appliance.client.entrance import Entrance, control, loopback
from appliance.client.http import Http
from appliance.client.person.entering import Entered
from appliance.client.person.seat import Remembered
from appliance.errors import Refusal
from appliance.protocol import codec
from appliance.protocol.messages import Message

VERSION: Final = 1


class Profile(Message, omit_defaults=False):
    """An account's sign-in: `box` as it was typed, the vault key, cookies and the seat. All of it secret."""

    version: int
    box: str
    name: str
    account: bytes
    vault_key: bytes
    cookies: dict[str, str]
    seat: Remembered | None


def made(http: Http, entered: Entered, seat: Remembered | None) -> Profile:
    """The profile of a sign-in."""
    return Profile(
        version=VERSION,
        box=http.entrance.word,
        name=entered.session.name,
        account=entered.session.account,
        vault_key=entered.vault_key,
        cookies=dict(http.cookies),
        seat=seat,
    )


def seat_of(path: Path, entered: Entered) -> Remembered | None:
    """The seat that the profile in a file remembers of this account, whose sign-in may have ended."""
    try:
        kept = load(path)
    except Refusal:
        return None
    return kept.seat if kept.account == entered.session.account else None


def entrance(profile: Profile) -> Entrance:
    """The entrance of the profile's box; Refusal tor_off for an onion, which needs one that dials."""
    if profile.box.startswith("/"):
        return control(Path(profile.box))
    if profile.box.endswith(".onion"):
        raise Refusal("tor_off")
    return loopback(profile.box)


def load(path: Path) -> Profile:
    """The profile in a file; Refusal sign_in when there is none, damaged_store when it cannot be read."""
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise Refusal("sign_in") from error
    try:
        return codec.read(data, Profile, codec.JSON)
    except Refusal as error:
        raise Refusal("damaged_store") from error


def save(path: Path, profile: Profile) -> None:
    """Replace the profile in one step; the file is readable by its owner alone."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".profile-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(codec.write(profile, codec.JSON))
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def sealed(path: Path) -> Path:
    """The folder of the sealed copies of what is being sent under a profile."""
    return path.with_name(path.name + ".sealed")


def remove(path: Path) -> None:
    """Forget the profile."""
    with suppress(FileNotFoundError):
        path.unlink()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the profile for this process; Refusal in_use when another one has it."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise Refusal("in_use", reason="another program has this profile open") from error
        yield
    finally:
        os.close(lock)
