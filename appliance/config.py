"""Every setting once: name, default, unit, meaning, and whether a change needs a restart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from appliance.errors import Refusal
from appliance.protocol.desk import Accent

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB


def setting(
    default: Any, doc: str, *, unit: str = "", live: bool = True, least: int = 1, most: int = 1 << 50
) -> Any:
    """Declare one field of `Config`; `live` ones take effect without a restart."""
    metadata = {"doc": doc, "unit": unit, "live": live, "least": least, "most": most}
    if isinstance(default, list | tuple):
        return field(default=tuple(default), metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True)
class Config:
    """All settings of a box. Files, environment and page change copies, never a value in place."""

    # Where
    data: Path = setting(Path("~/.local/share/island"), "The data folder.", live=False)
    listen: str = setting("127.0.0.1:8717", "Loopback address of the web page.", live=False)
    # Tor
    tor: str = setting("auto", "auto, off, or the path of a tor executable.", live=False)
    tor_torrc: str = setting("", "A file with more torrc lines (a private network).", live=False)
    bridges: tuple[str, ...] = setting((), "Bridge lines, where Tor is blocked.", live=False)
    bridge_transports: tuple[str, ...] = setting(
        (), "ClientTransportPlugin lines for the bridges; found by themselves when empty.", live=False
    )
    onion_pow: bool = setting(True, "Tor's proof-of-work defence of the onion service.", live=False)
    tor_old_days: int = setting(270, "Age at which the Tor in use raises an alarm.", unit="days")
    # Relay
    relay_policy: Literal["open", "invite", "peers", "closed"] = setting(
        "invite", "Who may keep mailboxes here: open (with work), invite, peers, closed."
    )
    relay_peers: tuple[str, ...] = setting((), "Onion addresses of the boxes that are peers.")
    relay_only: bool = setting(False, "No owner's desk beyond the relay; serve envelopes only.", live=False)
    relay_octets: int = setting(2 * GIB, "Space for the envelopes of others.", unit="bytes")
    ttl_default_hours: int = setting(168, "Time to live when the sender names none.", unit="hours", most=720)
    ttl_max_hours: int = setting(720, "Longest time to live accepted.", unit="hours", most=720)
    contact_envelopes: int = setting(128, "Envelopes held in one contact mailbox.")
    contact_octets: int = setting(2 * MIB, "Space of one contact mailbox.", unit="bytes")
    request_envelopes: int = setting(64, "Envelopes held in one request mailbox.")
    request_octets: int = setting(1 * MIB, "Space of one request mailbox.", unit="bytes")
    grant_mailboxes: int = setting(256, "Mailboxes under a grant obtained by work or as a peer.")
    grant_octets: int = setting(64 * MIB, "Space under a grant obtained by work or as a peer.", unit="bytes")
    grant_days: int = setting(90, "Life of a grant obtained by work or as a peer.", unit="days")
    work_memory_kib: int = setting(
        8192, "Memory of one guess of the puzzle.", unit="KiB", least=64, most=1 << 20
    )
    work_bits: int = setting(8, "Difficulty of the puzzle: leading zero bits.", least=0, most=20)
    sweep_seconds: int = setting(20, "Pause between two sweeps of expired envelopes.", unit="seconds")
    sweep_batch: int = setting(200, "Envelopes removed in one transaction of the sweep.")
    # Delivery and collection
    relays_wanted: int = setting(2, "At how many relays an envelope is kept when the box is off.")
    outbox_direct_seconds: int = setting(
        45, "How long somebody's own box may take to answer before their relays are used.", unit="seconds"
    )
    outbox_first_seconds: int = setting(5, "First pause before a delivery is tried again.", unit="seconds")
    outbox_longest_seconds: int = setting(1800, "Longest pause between two tries.", unit="seconds")
    collect_seconds: int = setting(120, "Pause between two collections at a relay.", unit="seconds")
    # Accounts
    registration: Literal["open", "invite", "closed"] = setting(
        "invite", "Who may make an account here: open (with work), invite, closed."
    )
    registration_memory_kib: int = setting(
        8192, "Memory of one guess of the puzzle of an open registration.", unit="KiB", least=64, most=1 << 20
    )
    registration_bits: int = setting(4, "Difficulty of that puzzle: leading zero bits.", least=0, most=20)
    registrations_hour: int = setting(60, "New accounts in one hour when registration is open.")
    accounts_most: int = setting(1000, "Accounts on this box.")
    kdf_memory_kib: int = setting(
        19456, "Least memory with which a client stretches a passphrase.", unit="KiB", least=8, most=1 << 20
    )
    kdf_passes: int = setting(2, "Least passes with which a client stretches a passphrase.", most=16)
    # Members' messages
    member_envelopes: int = setting(4096, "Envelopes that may wait in one mailbox of a member.")
    member_octets: int = setting(64 * MIB, "Space for all that waits for one member.", unit="bytes")
    dispatch_envelopes: int = setting(8192, "Envelopes of one member that may be on their way.")
    dispatch_octets: int = setting(256 * MIB, "Space for what one member has on its way.", unit="bytes")
    kept_octets: int = setting(256 * MIB, "Space for the attachments of one member.", unit="bytes")
    event_messages: int = setting(30, "Messages a second that one member's socket may send.")
    # The box as people see it
    welcome: str = setting("", "Greeting on the first page, before somebody signs in.", most=2000)
    policy: str = setting("", "Rules of the box, shown to who comes and to members.", most=20_000)
    accent: Accent = setting("sea", "Hue of buttons and marks.")
    boards: bool = setting(True, "Whether there are boards.")
    channels: bool = setting(True, "Whether there are channels.")
    # Order among members
    karma_post: int = setting(0, "Karma from which somebody may post where nothing else is set.", least=0)
    karma_upload: int = setting(0, "Karma from which somebody may upload files to boards.", least=0)
    mirror_octets: int = setting(512 * MIB, "Space for one mirror of a board of another box.", unit="bytes")
    posts_minute: int = setting(20, "Posts, uploads and thanks of one member in a minute.", most=600)
    filter_words: tuple[str, ...] = setting(
        (), "Words and phrases not wanted on boards; a star at an end stands for the rest of a word."
    )
    filter_action: Literal["refuse", "hold"] = setting(
        "hold", "What happens to a post with such a word: refuse it, or hold it until a moderator looks."
    )
    reports_open: int = setting(20, "Reports of one member that may wait at once.")
    reports_day: int = setting(30, "Reports of one member in a day.")
    reports_most: int = setting(1000, "Reports that may wait at once in all.", most=10_000)
    report_days: int = setting(90, "How long a settled report is kept.", unit="days", most=3650)
    four_eyes: bool = setting(False, "Whether what destroys needs a second owner or admin.")
    audit_days: int = setting(90, "How long acts stay in the audit log.", unit="days", most=90)
    # Directory and vaults
    vault_octets: int = setting(64 * MIB, "Space of one account's vault.", unit="bytes")
    prekeys_free: int = setting(
        20, "One-time prekeys of a device that strangers may take in an hour without work.", least=0
    )
    prekeys_day: int = setting(200, "One-time prekeys of a device handed out in a day.", least=0)
    prekeys_low: int = setting(
        20, "A device is told to make new prekeys when fewer are left.", least=0, most=100
    )
    # Logs
    log_sweep_seconds: int = setting(
        30, "Pause between two looks for entries that are too old.", unit="seconds"
    )
    # Channels
    channel_posts_minute: int = setting(
        60, "Messages and changes of one member in all channels in a minute.", most=6000
    )
    channel_days: int = setting(
        365, "How long a channel's messages are kept; 0: for ever.", unit="days", least=0, most=36_500
    )
    channel_entries: int = setting(
        100_000, "How many entries a channel keeps; 0: all.", least=0, most=10_000_000
    )
    channels_most: int = setting(1000, "Channels on this box.", most=10_000)
    channels_account: int = setting(200, "Channels one member may be in.", most=1000)
    # Limits on strangers
    body_octets: int = setting(4 * MIB, "Largest request body.", unit="bytes")
    head_seconds: int = setting(20, "A request's head must arrive within this.", unit="seconds")
    body_seconds: int = setting(120, "A request's body must arrive within this.", unit="seconds")
    write_seconds: int = setting(120, "A reader that takes nothing for so long is cut.", unit="seconds")
    idle_seconds: int = setting(60, "An idle connection is closed after this.", unit="seconds")
    connections: int = setting(2048, "Connections open at once.", live=False)
    circuit_connections: int = setting(128, "Connections open at once on one circuit.")
    circuit_requests: int = setting(60, "Requests a second on one circuit, after a burst of four times.")
    stream_operations: int = setting(2000, "Envelopes a second on one relay stream.")
    nonces_kept: int = setting(100_000, "Used nonces remembered; beyond that the box is busy.")

    def with_values(self, values: Mapping[str, Any]) -> Config:
        """A copy with these settings, each checked; raises unknown_setting or bad_setting."""
        return replace(self, **{name: convert(name, value) for name, value in values.items()})


def convert(name: str, value: Any) -> Any:
    """A setting's value from text or JSON; raises Refusal unknown_setting or bad_setting."""
    declared = {f.name: f for f in fields(Config)}.get(name)
    if declared is None:
        raise Refusal("unknown_setting", name=name)
    try:
        return _converted(get_type_hints(Config)[name], value, declared.metadata)
    except (ValueError, TypeError) as error:
        raise Refusal("bad_setting", name=name, reason=str(error)) from error


def choices(name: str) -> list[str] | None:
    """The allowed values of a setting, if it is one of a few."""
    hint = get_type_hints(Config)[name]
    return list(get_args(hint)) if get_origin(hint) is Literal else None


def _converted(hint: Any, value: Any, metadata: Mapping[str, Any]) -> Any:
    if hint is bool:
        return _boolean(value)
    if hint is int:
        return _bounded(value, metadata["least"], metadata["most"])
    if hint is Path:
        return Path(str(value))
    if get_origin(hint) is tuple:
        lines = value.splitlines() if isinstance(value, str) else value
        return tuple(line.strip() for line in map(str, lines) if line.strip())
    if get_origin(hint) is Literal and value not in get_args(hint):
        raise ValueError("one of " + ", ".join(get_args(hint)))
    if not isinstance(value, str):
        raise TypeError("text is wanted")
    if len(value) > metadata["most"]:
        raise ValueError(f"at most {metadata['most']} characters")
    return value


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    words = {
        "yes": True,
        "true": True,
        "on": True,
        "1": True,
        "no": False,
        "false": False,
        "off": False,
        "0": False,
    }
    if str(value).lower() not in words:
        raise ValueError("yes or no")
    return words[str(value).lower()]


def _bounded(value: Any, least: int, most: int) -> int:
    if isinstance(value, bool):
        raise TypeError("a whole number is wanted")
    number = int(value)
    if not least <= number <= most:
        raise ValueError(f"from {least} to {most}")
    return number


def shown(value: Any) -> Any:
    """A setting's value as JSON shows it: lines for tuples, text for paths."""
    if isinstance(value, tuple):
        return "\n".join(value)
    return str(value) if isinstance(value, Path) else value


def declarations() -> list[tuple[str, Any, str, str, bool]]:
    """(name, default, unit, meaning, live) of every setting, for README, page and command line."""
    return [
        (f.name, shown(f.default), f.metadata["unit"], f.metadata["doc"], f.metadata["live"])
        for f in fields(Config)
    ]
