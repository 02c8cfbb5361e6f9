"""The composition root: opens everything, wires the services, starts every named task. No logic."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Final

import msgspec
import trio

from appliance import __version__
from appliance.api.app import serve
from appliance.api.entrance import Entrance, bind_loopback, bind_unix
from appliance.client.entrance import CONTROL_NAME
from appliance.config import Config
from appliance.protocol import onion
from appliance.service.admission import Admission
from appliance.service.board_pages import BoardPages
from appliance.service.board_posts import BoardPosts
from appliance.service.board_search import BoardSearch
from appliance.service.boards import Boards
from appliance.service.box import Box
from appliance.service.branding import Branding
from appliance.service.changes import Changes
from appliance.service.channel_members import ChannelMembers
from appliance.service.channel_posts import ChannelPosts
from appliance.service.channels import Channels
from appliance.service.directory import Directory
from appliance.service.feeds import Feeds
from appliance.service.health import Health
from appliance.service.hosting import Hosting
from appliance.service.household import make_household
from appliance.service.logs import Logs
from appliance.service.minimise import Minimise
from appliance.service.mirrors import Mirrors
from appliance.service.moderation import make_moderation
from appliance.service.people import People
from appliance.service.places import Places
from appliance.service.ports import Clock
from appliance.service.post import Post
from appliance.service.reader_book import ReaderBook
from appliance.service.relay import Relay
from appliance.service.remotes import Remotes
from appliance.service.rooms import Rooms
from appliance.service.settings import Settings
from appliance.service.tor_watch import TorWatch
from appliance.service.vault import Vault
from appliance.store import channels as channel_rows
from appliance.store import forgetting
from appliance.store.engine import Store
from appliance.store.schema import open_store
from appliance.store.storekey import KeyRing, open_keys
from tor.supervisor import Tor

ONION_SOCKET: Final = "onion.sock"
SWITCH_SECONDS: Final = 0.0005
"""Commits give up the interpreter lock; with the default of 5 ms the committer waits for it after each."""
GARBAGE_THRESHOLDS: Final = (20_000, 50, 50)
"""With Python's own (700, 10, 10) the search for cycles takes 6 percent of a relay's time; few are made."""


class Ready(msgspec.Struct, frozen=True):
    """What the box says when it answers: page, one-time claim link, onion address, what Tor does."""

    version: str
    url: str
    claim_url: str | None
    onion: str
    state: str

    def __repr__(self) -> str:
        return "<Ready>"


async def run(
    config: Config,
    announce: Callable[[Ready], None],
    make_tor: Callable[..., Tor] = Tor,
    clock: Clock = time.time,
) -> None:
    """Run a box until cancelled; `announce` is called once, when it answers."""
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.set_threshold(*GARBAGE_THRESHOLDS)
    data = config.data.expanduser()
    store = open_store(data)
    try:
        ring = open_keys(data, store)
        entrances = _bind(config, data)
        try:
            await _live(config, store, ring, entrances, announce, make_tor, clock)
        finally:
            for entrance in entrances:
                entrance.close()
    finally:
        store.close()


async def _live(
    config: Config,
    store: Store,
    ring: KeyRing,
    entrances: list[Entrance],
    announce: Callable[[Ready], None],
    make_tor: Callable[..., Tor],
    clock: Clock,
) -> None:
    given = frozenset(f.name for f in fields(Config) if getattr(config, f.name) != f.default)
    settings = Settings(store, config, given)
    tor = make_tor(
        settings.config,
        seed=ring.identity.seed,
        target=entrances[-1].path or Path(),
        book=ReaderBook(store, ring),
    )
    remotes = Remotes(tor.dial)
    box = _assemble(settings, store, ring, tor, remotes, clock)
    async with remotes, trio.open_nursery() as nursery:
        await nursery.start(store.run)  # its fault ends the box
        await nursery.start(serve, box, entrances)
        nursery.start_soon(box.health.tasks.run, name="tasks")
        gc.freeze()  # what is there by now stays: modules, routes, services
        announce(_ready(entrances[0], box))


def _assemble(
    settings: Settings, store: Store, ring: KeyRing, tor: Tor, remotes: Remotes, clock: Clock
) -> Box:
    """Every service with what it needs, and its tasks by name."""
    config = settings.config
    host = onion.address(ring.identity.public)
    changes = Changes()
    health = Health(store, clock, lambda: tor.status)
    relay = Relay(store, config, clock, host)
    home = make_household(store, ring, config, clock, changes, tor)
    places = Places(store, ring, clock, remotes, changes)
    post = Post(store, ring, config, clock, remotes, relay)
    logs = Logs(store, ring, config, clock, post.events)
    branding = Branding(home.nameplate, settings, post.events)
    moderation = make_moderation(store, ring, settings, clock, logs, home, post.events)
    boards = Boards(store, ring, config, clock, logs, home.audit, moderation.four_eyes)
    board_posts = BoardPosts(store, ring, logs, moderation.conduct, home.audit, boards.check_on)
    board_search = BoardSearch(store, ring, boards.check_on)
    mirrors = Mirrors(store, ring, config, clock, remotes, boards, logs)
    feeds = Feeds(store, ring, boards.check_on)
    minimise = Minimise(store, ring, clock, config.data.expanduser())
    conduct = moderation.conduct
    channels = Channels(store, ring, config, clock, logs, conduct, home.audit)
    channel_posts = ChannelPosts(store, config, clock, logs, conduct, home.audit, channels)
    vault = Vault(store, config, clock, post.dispatch)
    directory = Directory(store, ring, config, clock)
    people = People(remotes, directory, ring.identity.public)
    admission = Admission(store, config, clock, relay)
    hosting = Hosting(store, config, clock, ring, host)
    watch = TorWatch(tor, changes, home.lock, places)

    for part in (
        home,
        relay,
        admission,
        hosting,
        post,
        logs,
        branding,
        moderation,
        boards,
        mirrors,
        channels,
        channel_posts,
        vault,
        directory,
        tor,
    ):
        settings.follow(part.configure)
    for part in (vault, directory, post, moderation, channels):
        part.join(home.hooks)
    health.more += [minimise.row, mirrors.row]
    settings.note = home.audit.note
    home.nameplate.on_changed = branding.renew
    home.door.branding = lambda: branding.page().revision
    moderation.four_eyes.register("channel.close", channels.remove)
    feeds.join(home.hooks)
    board_posts.on_posted = mirrors.on_posted = board_search.look
    vault.on_changed = post.on_vault_changed
    directory.on_low = post.on_low
    directory.changing.append(channel_rows.changed)
    directory.removing.append(forgetting.mark)
    directory.on_device_removed.append(home.sign_in.end_device)
    places.on_relays = post.mailboxes.provision
    post.mailboxes.on_relay = places.heard
    post.mailboxes.on_room = places.settled
    post.collection.on_collected = places.mark_collected
    watch.on_connected = post.hasten

    tasks = health.tasks
    tasks.add("tor", tor.run)
    tasks.add("tor watch", watch.run)
    tasks.add("envelope sweep", relay.run_sweep)
    tasks.add("accounts sweep", home.run)
    tasks.add("vault sweep", vault.run)
    tasks.add("minimise", minimise.run)
    if not config.relay_only:
        tasks.add("places", home.lock.when_unlocked(places.run))
        always, unlocked = post.tasks()
        for name, run in always:
            tasks.add(name, run)
        tasks.add("logs sweep", home.lock.when_unlocked(logs.run))
        tasks.add("moderation sweep", moderation.run)
        tasks.add("audit log", home.lock.when_unlocked(home.audit.settle))
        tasks.add("channels sweep", home.lock.when_unlocked(channels.run))
        tasks.add("boards sweep", home.lock.when_unlocked(boards.run))
        tasks.add("mirrors", home.lock.when_unlocked(mirrors.run))
        tasks.add("search index", home.lock.when_unlocked(board_search.run))
        for name, run in unlocked:
            tasks.add(name, home.lock.when_unlocked(run))
    return Box(
        clock=clock,
        relay=relay,
        admission=admission,
        lock=home.lock,
        nameplate=home.nameplate,
        door=home.door,
        sign_in=home.sign_in,
        accounts=home.accounts,
        members=home.members,
        invites=home.invites,
        linking=home.linking,
        plain=home.plain,
        places=places,
        post=post,
        logs=logs,
        boards=boards,
        board_posts=board_posts,
        board_pages=BoardPages(store, ring, logs, boards.check_on),
        board_search=board_search,
        rooms=Rooms(store, ring, relay.book, host, boards.check_on),
        mirrors=mirrors,
        feeds=feeds,
        channels=channels,
        channel_posts=channel_posts,
        channel_members=ChannelMembers(store, directory),
        vault=vault,
        directory=directory,
        people=people,
        hosting=hosting,
        settings=settings,
        health=health,
        changes=changes,
        tor=tor,
        audit=home.audit,
        branding=branding,
        moderation=moderation,
        minimise=minimise,
    )


def _bind(config: Config, data: Path) -> list[Entrance]:
    """Loopback, control and onion, in this order; all or none."""
    address, _, port = config.listen.rpartition(":")
    bound: list[Entrance] = []
    try:
        bound.append(bind_loopback(address.strip("[]"), int(port)))
        bound.append(bind_unix("control", data / CONTROL_NAME))
        bound.append(bind_unix("onion", data / ONION_SOCKET))
    except BaseException:
        for entrance in bound:
            entrance.close()
        raise
    return bound


def _ready(loopback: Entrance, box: Box) -> Ready:
    name, port = loopback.listener.getsockname()[:2]
    url = f"http://{f'[{name}]' if ':' in name else name}:{port}/"
    token = box.door.claim_token
    claim = None if token is None else f"{url}#claim={token}"
    return Ready(__version__, url, claim, box.relay.host, box.tor.status.phase)
