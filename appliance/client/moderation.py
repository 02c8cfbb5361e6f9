"""Order among members from outside: bans, reports, the audit log, approvals, branding; typed calls."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import quote

from appliance.client.http import Http
from appliance.protocol import codec
from appliance.protocol.account import ChangeBan, Member
from appliance.protocol.audit import MAX_PAGE, Act, Acts
from appliance.protocol.desk import Branding, ChangeBranding
from appliance.protocol.moderation import (
    Approval,
    Approvals,
    CloseReport,
    NewReport,
    OwnReport,
    OwnReports,
    Report,
    Reports,
    Thank,
    Thanked,
)


class Moderation:
    """What members report and moderators, admins and owners do about it; raises the box's Refusal."""

    def __init__(self, http: Http) -> None:
        self._http = http

    async def branding(self) -> Branding:
        """How the box shows itself."""
        return await self._http.call("GET", "/v1/branding", Branding)

    async def change_branding(self, value: ChangeBranding) -> Branding:
        """Change parts of that."""
        return await self._http.call("PATCH", "/v1/branding", Branding, value)

    async def ban(self, account: bytes, value: ChangeBan) -> Member:
        """Ban from writing, or lift a ban."""
        return await self._http.call("POST", f"/v1/members/{codec.to_text(account)}/bans", Member, value)

    async def thank(self, log: bytes, entry: bytes, *, take_back: bool = False) -> Thanked:
        """Thank for an entry, or take that back."""
        path = "/v1/thanks/take-back" if take_back else "/v1/thanks"
        return await self._http.call("POST", path, Thanked, Thank(log, entry))

    async def report(self, value: NewReport) -> OwnReport:
        """Report something; the same id again is answered alike."""
        return await self._http.call("POST", "/v1/reports", OwnReport, value)

    async def own_reports(self) -> list[OwnReport]:
        """What one reported oneself."""
        return (await self._http.call("GET", "/v1/reports/mine", OwnReports)).reports

    async def reports(self, *, closed: bool = False, limit: int = 100) -> list[Report]:
        """The queue, or what was settled; the first `limit`."""
        path = f"/v1/reports?state={'closed' if closed else 'open'}&limit={limit}"
        return (await self._http.call("GET", path, Reports)).reports

    async def take(self, id: bytes, *, release: bool = False) -> Report:
        """Say that one looks at a report, or no longer."""
        path = f"/v1/reports/{codec.to_text(id)}/{'release' if release else 'take'}"
        return await self._http.call("POST", path, Report)

    async def close(self, id: bytes, value: CloseReport) -> Report:
        """Settle a report."""
        return await self._http.call("POST", f"/v1/reports/{codec.to_text(id)}/close", Report, value)

    async def acts(self, limit: int | None = None) -> AsyncIterator[Act]:
        """Acts of the audit log, the newest first, at most `limit`."""
        before, left = "", limit
        while left is None or left > 0:
            wanted = MAX_PAGE if left is None else min(left, MAX_PAGE)
            page = await self._http.call("GET", f"/v1/audit?limit={wanted}{before}", Acts)
            for act in page.acts:
                yield act
            if not page.more or not page.acts:
                return
            before = f"&before={quote(str(page.acts[-1].number))}"
            left = None if left is None else left - len(page.acts)

    async def wipe_audit(self) -> None:
        """Remove every act."""
        await self._http.exchange("DELETE", "/v1/audit")

    async def approvals(self) -> list[Approval]:
        """What waits for a second pair of eyes."""
        return (await self._http.call("GET", "/v1/approvals", Approvals)).approvals

    async def approve(self, id: bytes) -> None:
        """Agree: it is done."""
        await self._http.exchange("POST", f"/v1/approvals/{codec.to_text(id)}")

    async def refuse(self, id: bytes) -> None:
        """Say no, or take it back."""
        await self._http.exchange("DELETE", f"/v1/approvals/{codec.to_text(id)}")
