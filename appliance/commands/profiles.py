"""What the commands of a person share: which box, which profile, and opening it."""

from __future__ import annotations

import functools
import os
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import click
import trio

from appliance.client.entrance import Entrance, Unanswered, control, loopback, onion
from appliance.client.person import Options, Person
from appliance.client.person import profile as profiles
from appliance.commands import exits
from appliance.commands.shell import Failure, Shell, default_data, json_option, pick, run_async
from appliance.errors import Refusal
from appliance.protocol.onion import public_key
from tor.transport import Dial

F = TypeVar("F", bound=Callable[..., Any])

PROGRAMS: Final = 3
"""So many commands may use one profile at the same time."""
SETTLE_SECONDS: Final = 20.0
SILENT: Final = Options(label="command line", patience=0)
"""A command that was not run for a while is silent as well: none takes the seat of another."""


def default_state() -> Path:
    """Where profiles lie, by the XDG rules."""
    base = os.environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "island" / "profiles"


def profile_option(command: F) -> F:
    """Add --profile."""
    return click.option(
        "--profile",
        default="default",
        envvar="ISLAND_PROFILE",
        show_default=True,
        help="Which account: a name, kept in ~/.local/state/island/profiles, or a file.",
    )(command)


def socks_option(command: F) -> F:
    """Add --socks."""
    return click.option(
        "--socks",
        type=click.Path(path_type=Path),
        envvar="ISLAND_SOCKS",
        help="Tor's SOCKS socket, for a box that is reached as an onion.  [default: that of a box here]",
    )(command)


def path_of(profile: str) -> Path:
    """The file of a profile; a word with a slash is the file itself."""
    return Path(profile).expanduser() if "/" in profile else default_state() / f"{profile}.json"


def entrance_of(box: str, socks: Path | None) -> Entrance:
    """The way into a box: its data folder, its page's address, or its onion address."""
    if not box:
        return control(default_data())
    address = box if "://" in box else f"http://{box}"
    host = urlsplit(address).hostname or ""
    if host.endswith(".onion"):
        public_key(host)
        return onion(_dial(socks), host, "person")
    folder = Path(box).expanduser()
    if "://" in box or (not folder.is_dir() and urlsplit(address).port):
        if not address.startswith("http://"):
            raise Failure("A box's page begins with http://.", exits.USAGE)
        return loopback(urlsplit(address).netloc)
    return control(folder)


def _dial(socks: Path | None) -> Dial:
    return Dial(lambda: socks or _found(), _no_new_circuits)


def _found() -> Path | None:
    """The SOCKS socket of a box that runs here under the same user."""
    places = [os.environ.get("XDG_RUNTIME_DIR"), "/dev/shm", tempfile.gettempdir()]  # noqa: S108
    found = [
        path
        for place in filter(None, places)
        for path in Path(place).glob("island-*/socks")
        if _is_mine(path)
    ]
    return max(found, key=lambda path: path.stat().st_mtime, default=None)


def _is_mine(path: Path) -> bool:
    try:
        return path.parent.stat().st_uid == os.getuid() and path.is_socket()
    except OSError:
        return False


async def _no_new_circuits() -> None:
    """Tor is another program's here: it is not told what to do."""


def with_person(function: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Run an async command as `function(me, shell, …)` with the account of --profile."""

    @functools.wraps(function)
    def run(*, profile: str, socks: Path | None, as_json: bool, **arguments: Any) -> None:
        path = path_of(profile)
        shell = Shell(path, as_json)

        async def call() -> None:
            kept = read_profile(path)
            with telling(kept.box):
                async with _open(path, entrance_of(kept.box, socks)) as me:
                    # What waited at the box belongs to what is shown.
                    with trio.move_on_after(SETTLE_SECONDS):
                        await me.settled()
                    await function(me, shell, **arguments)
                    # What is told to the other side (read, accepted) leaves before the program does.
                    with trio.move_on_after(SETTLE_SECONDS):
                        await me.settled()

        run_async(call, shell)

    return profile_option(socks_option(json_option(run)))


@asynccontextmanager
async def _open(path: Path, way: Entrance) -> AsyncIterator[Person]:
    """The account of a profile; while another command has it, through a profile of its own beside it."""
    for number in range(1, PROGRAMS + 1):
        one, inside = beside(path, number), False
        try:
            async with AsyncExitStack() as stack:
                if number == 1 or one.exists():
                    me = await stack.enter_async_context(Person.open(one, way, options=SILENT))
                else:
                    me = await stack.enter_async_context(Person.open_beside(path, one, way, options=SILENT))
                inside = True
                yield me
                return
        except Refusal as refusal:
            if inside:
                raise
            ended = number > 1 and refusal.code in ("session_ended", "sign_in")
            if ended:
                profiles.remove(one)
            if number == PROGRAMS or not (ended or refusal.code == "in_use"):
                raise


def beside(path: Path, number: int) -> Path:
    """The profile of the n-th program that uses an account at the same time."""
    return path if number == 1 else path.with_name(f"{path.name}-{number}")


def read_profile(path: Path) -> profiles.Profile:
    """The profile in a file; Failure when nobody is signed in."""
    try:
        return profiles.load(path)
    except Refusal as refusal:
        if refusal.code != "sign_in":
            raise
        raise Failure("Nobody is signed in. Sign in with: island sign-in NAME") from refusal


@contextmanager
def telling(box: str) -> Iterator[None]:
    """Turn silence of the box named so into a failure with its own exit code."""
    try:
        yield
    except Unanswered as error:
        if error.reason != "nobody":
            raise
        raise Failure(f"The box at {box or default_data()} does not answer.", exits.NO_BOX) from error


def who(me: Person, word: str) -> str:
    """The address meant by a word: an address, or the beginning of a contact's."""
    if "@" in word and word.lower().endswith(".onion"):
        return word.lower()
    return str(pick(me.contacts(), word, lambda one: (one.address,), "conversation").address)
