"""Conduct: whether somebody may write here and now. Asked by boards, channels and uploads, round each write.

What counts the seconds (posts a minute, slow mode) and the word filter come before the write; the counts are
kept in memory. What the account may do is looked up again in the transaction that writes: a suspension or ban
that was committed before refuses it, so nothing slips through between the two.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Literal

from appliance.config import Config
from appliance.errors import Refusal
from appliance.protocol.account import Area
from appliance.service.caller import Caller
from appliance.service.ports import Clock
from appliance.service.rights import check, may
from appliance.service.word_filter import WordFilter
from appliance.store import accounts, thanks
from appliance.store.accounts import Account
from appliance.store.storekey import KeyRing
from appliance.store.transaction import Transaction

MINUTE: Final = 60.0
MOST_REMEMBERED: Final = 4096
"""Accounts, and accounts in slow places, of which times are kept; those that are over go first."""


@dataclass(frozen=True, slots=True)
class Step:
    """What somebody is about to do: where, with which words (none where they are sealed), within what."""

    act: Literal["post", "upload", "thank", "join"]
    area: Area
    place: bytes
    words: tuple[str, ...] = field(default=(), repr=False)
    karma: int = 0
    slow_seconds: int = 0
    a_minute: int = 0
    """How much one may write in this area in a minute; 0: counted with all else, by `posts_minute`."""

    def counted_as(self, account: bytes) -> bytes:
        """Under what the times of an account are kept."""
        return account + self.area.encode() if self.a_minute else account


@dataclass(frozen=True, slots=True)
class Leave:
    """The permission: `check` is for the transaction; `held` says that moderators look at it first."""

    account: bytes = field(repr=False)
    step: Step
    held: bool
    _conduct: Conduct = field(repr=False)

    def check(self, txn: Transaction) -> None:
        """Look at the account as it is in this transaction. Refusals: session_ended, suspended, banned, …"""
        self._conduct.check_account(txn, self.account, self.step)


class Conduct:
    """Owner: the event loop; `Leave.check` runs in the committer. Counters are not durable."""

    def __init__(self, ring: KeyRing, config: Config, clock: Clock) -> None:
        self._machine = ring.machine
        self._clock = clock
        self._times: dict[bytes, deque[float]] = {}
        self._slow: dict[bytes, float] = {}
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Take the settings that hold from now on."""
        self._config = config
        self._filter = WordFilter(config.filter_words)

    @contextmanager
    def enter(self, caller: Caller, step: Step) -> Iterator[Leave]:
        """Round the write; what it counted is taken back when the block raises.

        Refusals: role, word_filter, too_fast, slow_mode.
        """
        check(caller, step.act)
        moderates = may(caller.role, "moderate")
        found = not moderates and self._filter.finds(step.words)
        if found and self._config.filter_action == "refuse":
            raise Refusal("word_filter")
        now = self._clock()
        slow = 0 if moderates else step.slow_seconds
        before = self._slow.get(caller.account + step.place)
        if slow and before is not None and now < before + slow:
            raise Refusal("slow_mode", seconds=_rest(before + slow - now))
        times = self._count(step.counted_as(caller.account), now, step.a_minute or self._config.posts_minute)
        if slow:
            self._begin_slow(caller.account + step.place, now)
        try:
            yield Leave(caller.account, step, found, self)
        except BaseException:
            if now in times:
                times.remove(now)
            if slow and self._slow.get(caller.account + step.place) == now:
                self._restore_slow(caller.account + step.place, before)
            raise

    def check_account(self, txn: Transaction, account: bytes, step: Step) -> None:
        """What `Leave.check` does."""
        found = accounts.find(txn, self._machine, account)
        if found is None:
            raise Refusal("session_ended")
        now = self._clock()
        found.check_in(now)
        if not may(found.role, step.act):
            raise Refusal("role")
        if step.act == "join":  # a ban is on writing, not on reading
            return
        ban = found.ban_in(step.area, step.place, now)
        if ban is not None:
            raise Refusal("banned", until=ban.until or None)
        if step.act != "thank":
            self._check_allowance(txn, found, step)

    def _check_allowance(self, txn: Transaction, account: Account, step: Step) -> None:
        allowance = account.can_post if step.act == "post" else account.can_upload
        if allowance == "no":
            raise Refusal("withheld")
        if allowance == "yes" or may(account.role, "moderate"):
            return
        of_box = self._config.karma_post if step.act == "post" else self._config.karma_upload
        needed, have = max(step.karma, of_box), thanks.karma(txn, account.account)
        if have < needed:
            raise Refusal("karma", needed=needed, have=have)

    def _count(self, account: bytes, now: float, most: int) -> deque[float]:
        """One more in this minute; Refusal too_fast."""
        times = self._times.get(account)
        if times is None:
            if len(self._times) >= MOST_REMEMBERED:
                self._times = {
                    who: kept for who, kept in self._times.items() if kept and kept[-1] > now - MINUTE
                }
            times = self._times[account] = deque()
        while times and times[0] <= now - MINUTE:
            times.popleft()
        if len(times) >= most:
            raise Refusal("too_fast", seconds=_rest(times[0] + MINUTE - now))
        times.append(now)
        return times

    def _begin_slow(self, key: bytes, now: float) -> None:
        self._slow.pop(key, None)
        self._slow[key] = now
        while len(self._slow) > MOST_REMEMBERED:
            self._slow.pop(next(iter(self._slow)))

    def _restore_slow(self, key: bytes, before: float | None) -> None:
        if before is None:
            del self._slow[key]
        else:
            self._slow[key] = before


def _rest(seconds: float) -> int:
    return max(1, int(seconds + 0.999))
