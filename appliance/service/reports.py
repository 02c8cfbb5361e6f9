"""Reports: what members tell those who look after the box, and what becomes of it.

Who is the subject of a report never sees it, and whoever stands above him does: reports about moderators go
to admins, those about admins to owners, those about
owners to other owners and to admins. The command line of the box sees all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, cast

import msgspec

from appliance.config import Config
from appliance.errors import Refusal
from appliance.protocol import moderation as wire
from appliance.service import authors
from appliance.service.audit import Audit
from appliance.service.caller import Caller
from appliance.service.events import EventBook
from appliance.service.logs import Logs
from appliance.service.ports import Clock
from appliance.service.rights import RANKS, check, may
from appliance.store import accounts, reports
from appliance.store.engine import Store
from appliance.store.reports import Report
from appliance.store.storekey import KeyRing, Sealer
from appliance.store.transaction import Transaction

DAY: Final = 24 * 3600
FORGOTTEN_AT_ONCE: Final = 100
LOOKED_AT: Final = 1000
"""Closed reports read at most for one page, where the caller may not see many of them."""

Change = Callable[[Transaction, Report], Report]


class Reports:
    """Durable, sealed under the store key. Owner: the event loop."""

    def __init__(
        self,
        store: Store,
        ring: KeyRing,
        config: Config,
        clock: Clock,
        logs: Logs,
        audit: Audit,
        events: EventBook,
    ) -> None:
        self._store = store
        self._ring = ring
        self._machine = ring.machine
        self._clock = clock
        self._logs = logs
        self._audit = audit
        self._events = events
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Take the settings that hold from now on."""
        self._config = config

    # Reporters

    async def make(self, caller: Caller, body: wire.NewReport) -> wire.OwnReport:
        """Report an entry or a person; the same id again is answered alike.

        Refusals: role, malformed, yourself, no_log, no_item, no_account, too_fast, busy.
        """
        check(caller, "report")
        sealer = self._ring.require()
        if (body.log is None) != (body.entry is None) or (body.entry is None and body.person is None):
            raise Refusal("malformed", field="entry")
        blank = await self._store.read_cold(lambda txn: self._drafted(txn, sealer, caller, body))
        if blank.account == caller.account:
            raise Refusal("yourself")
        now = blank.second

        def job(txn: Transaction) -> tuple[Report, bool]:
            old = reports.find(txn, sealer, body.id)
            if old is not None:
                if old.reporter != caller.account:
                    raise Refusal("wrong_state", field="id")
                return old, False
            waiting, recent = reports.count_own(txn, sealer, caller.account, now - DAY)
            if waiting >= self._config.reports_open or recent >= self._config.reports_day:
                raise Refusal("too_fast", seconds=3600)
            if reports.count_open(txn) >= self._config.reports_most:
                raise Refusal("busy", seconds=3600)
            reports.save(txn, sealer, blank)
            return blank, True

        report, fresh = await self._store.write(job)
        if fresh:
            self._events.tell_level("moderator", "desk")
        return _own(report)

    def own(self, caller: Caller) -> wire.OwnReports:
        """What the caller reported, and what became of it."""
        sealer = self._ring.require()
        rows = self._store.read(lambda txn: reports.list_own(txn, sealer, caller.account))
        return wire.OwnReports([_own(one) for one in rows])

    def export(self, txn: Transaction, account: bytes, name: str) -> dict[str, list[wire.OwnReport]]:
        """What an account reported, for its export."""
        return {"reports": [_own(one) for one in reports.list_own(txn, self._ring.require(), account)]}

    def _drafted(self, txn: Transaction, sealer: Sealer, caller: Caller, body: wire.NewReport) -> Report:
        now = int(self._clock())
        base = Report(
            id=body.id,
            reporter=caller.account,
            why=body.why,
            second=now,
            changed=now,
            area="people",
            words=body.words,
            evidence=body.evidence,
            about=body.person or "",
        )
        named = None if body.person is None else accounts.find_name(txn, self._machine, body.person)
        if body.log is None or body.entry is None:
            if named is None:
                raise Refusal("no_account")
            return msgspec.structs.replace(base, account=named, trusted=True)
        written = authors.find(txn, sealer, body.log, body.entry)
        self._logs.check_read(body.log, written.kind, caller.account, written.entry)
        author = written.author or named or b""
        known = accounts.find(txn, self._machine, author)
        return msgspec.structs.replace(
            base,
            area=written.area,
            log=body.log,
            entry=body.entry,
            account=author,
            about=base.about if known is None else known.name,
            trusted=written.author is not None,
        )

    # The queue

    async def page(self, caller: Caller, closed: bool, after: bytes | None, limit: int) -> wire.Reports:
        """What waits, the oldest first; or what is closed, the newest first. Refusals: role, malformed."""
        check(caller, "read_reports")
        if not 0 < limit <= wire.MAX_PAGE:
            raise Refusal("malformed", field="limit")
        sealer = self._ring.require()

        def look(txn: Transaction) -> wire.Reports:
            waiting = [one for one in reports.list_open(txn, sealer) if self._sees(txn, caller, one)]
            if closed:
                last = None if after is None else reports.find(txn, sealer, after)
                found = reports.list_closed(txn, sealer, last, LOOKED_AT)
                rows = [one for one in found if self._sees(txn, caller, one)]
            else:
                ids = [one.id for one in waiting]
                rows = waiting[ids.index(after) + 1 if after in ids else 0 :]
            shown = [self._shown(txn, one) for one in rows[:limit]]
            return wire.Reports(shown, shown[-1].id if len(rows) > limit else None, len(waiting))

        return await self._store.read_cold(look)

    async def take(self, caller: Caller, id: bytes, *, release: bool = False) -> wire.Report:
        """Say that one looks at it, or no longer. Refusals: role, no_item, wrong_state."""
        mine = _hand(caller)

        def change(txn: Transaction, old: Report) -> Report:
            if old.phase == "taken" and old.taken_by != mine and not may(caller.role, "approve"):
                raise Refusal("wrong_state", reason="somebody else looks at it")
            self._audit.note(txn, caller, "report.release" if release else "report.take", old.about, old.id)
            return msgspec.structs.replace(
                old, phase="open" if release else "taken", taken_by=b"" if release else mine
            )

        return await self._change(caller, id, change)

    async def close(self, caller: Caller, id: bytes, body: wire.CloseReport) -> wire.Report:
        """Settle it; the reporter is told. Refusals: role, no_item, wrong_state."""
        mine = _hand(caller)

        def change(txn: Transaction, old: Report) -> Report:
            if old.phase == "taken" and old.taken_by != mine and not may(caller.role, "approve"):
                raise Refusal("wrong_state", reason="somebody else looks at it")
            self._audit.note(
                txn,
                caller,
                "report.done" if body.outcome == "done" else "report.refuse",
                old.about,
                old.id,
                did=", ".join(body.did),
            )
            return msgspec.structs.replace(
                old,
                phase=body.outcome,
                taken_by=mine,
                did=tuple(body.did),
                answer=body.answer,
                note=body.note,
            )

        return await self._change(caller, id, change)

    async def forget_over(self) -> None:
        """Forget reports that were closed so many days ago, a batch at a time."""
        sealer = self._ring.sealer
        if sealer is None:
            return
        until = int(self._clock()) - self._config.report_days * DAY

        def job(txn: Transaction) -> int:
            found = reports.list_over(txn, until, FORGOTTEN_AT_ONCE)
            for id in found:
                reports.remove(txn, sealer, reports.require(txn, sealer, id))
            return len(found)

        if self._store.read(lambda txn: reports.list_over(txn, until, 1)):
            while await self._store.write(job, freeing=True) == FORGOTTEN_AT_ONCE:
                pass

    async def _change(self, caller: Caller, id: bytes, change: Change) -> wire.Report:
        check(caller, "read_reports")
        sealer = self._ring.require()

        def job(txn: Transaction) -> tuple[wire.Report, bytes]:
            old = reports.require(txn, sealer, id)
            if not self._sees(txn, caller, old):
                raise Refusal("no_item")
            if not old.is_open:
                raise Refusal("wrong_state", reason="it is settled")
            new = msgspec.structs.replace(change(txn, old), changed=int(self._clock()))
            reports.save(txn, sealer, new)
            return self._shown(txn, new), new.reporter

        shown, reporter = await self._store.write(job)
        self._events.tell_level("moderator", "desk")
        self._events.tell_account(reporter, "report", report=id)
        return shown

    def _sees(self, txn: Transaction, caller: Caller, report: Report) -> bool:
        """Whether a report is the caller's affair: he stands above whom it is about, who is not he."""
        if not caller.is_member:
            return True
        if report.account == caller.account:
            return False
        target = accounts.find(txn, self._machine, report.account) if report.account else None
        if target is None or caller.role == "owner":
            return True
        return RANKS[caller.role] > RANKS[target.role] or (caller.role, target.role) == ("admin", "owner")

    def _shown(self, txn: Transaction, report: Report) -> wire.Report:
        def named(account: bytes) -> str:
            found = accounts.find(txn, self._machine, account) if account else None
            return "" if found is None else found.name

        target = accounts.find(txn, self._machine, report.account) if report.account else None
        return wire.Report(
            id=report.id,
            why=cast(wire.Why, report.why),
            words=report.words,
            evidence=report.evidence,
            log=report.log or None,
            entry=report.entry or None,
            area=report.area,  # type: ignore[arg-type]
            account=None if target is None else target.account,
            about=report.about if target is None else target.name,
            role=None if target is None else target.role,
            trusted=report.trusted,
            reporter=named(report.reporter),
            second=report.second,
            phase=cast(wire.ReportPhase, report.phase),
            taken_by=named(report.taken_by),
            changed=report.changed,
            did=list(report.did),  # type: ignore[arg-type]
            answer=report.answer,
            note=report.note,
        )


def _hand(caller: Caller) -> bytes:
    return caller.account if caller.is_member else b""


def _own(report: Report) -> wire.OwnReport:
    return wire.OwnReport(
        id=report.id,
        why=cast(wire.Why, report.why),
        about=report.about,
        second=report.second,
        phase=cast(wire.ReportPhase, report.phase),
        changed=report.changed,
        answer=report.answer,
    )
