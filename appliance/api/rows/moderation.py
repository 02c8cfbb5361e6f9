"""Order among members: branding, bans, thanks, reports, the audit log, second pairs of eyes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from appliance.api.account_handlers import admin_of
from appliance.api.call import Call
from appliance.api.row import Row, admin, anyone, member, moderator
from appliance.errors import Refusal
from appliance.protocol import account, audit, codec, desk, moderation

if TYPE_CHECKING:
    from appliance.service.box import Box


async def remove_member(box: Box, call: Call) -> None:
    """Delete an account; where two pairs of eyes are wanted it may have to wait for the second."""
    caller, target = admin_of(call), call.octets("account")
    name = box.members.check_removal(caller, target)
    await box.moderation.four_eyes.ask(caller, "member.remove", target, name)


async def wipe_audit(box: Box, call: Call) -> None:
    """Remove every act from the log."""
    await box.moderation.four_eyes.ask(admin_of(call), "audit.wipe", b"", "")


async def reports(box: Box, call: Call) -> moderation.Reports:
    """A page of the queue."""
    state = call.query.get("state", "open")
    if state not in ("open", "closed"):
        raise Refusal("malformed", field="state")
    after = codec.from_text(call.query["after"]) if "after" in call.query else None
    return await box.moderation.reports.page(
        admin_of(call), state == "closed", after, call.number("limit", 50)
    )


async def acts(box: Box, call: Call) -> audit.Acts:
    """A page of the audit log."""
    before = call.number("before", 0) if "before" in call.query else None
    return await box.audit.page(admin_of(call), before, call.number("limit", 50))


MODERATION: Final[tuple[Row, ...]] = (
    anyone("GET", "/v1/branding", None, desk.Branding,
           lambda box, call: box.branding.page(),
           "Name, greeting, rules and looks of the box, and what is switched on.", hot=True),
    admin("PATCH", "/v1/branding", desk.ChangeBranding, desk.Branding,
          lambda box, call: box.branding.change(admin_of(call), call.body), "Change parts of it."),
    moderator("PATCH", "/v1/members/{account}", account.ChangeMember, account.Member,
              lambda box, call: box.members.change(admin_of(call), call.octets("account"), call.body),
              "Change a role or limits, or suspend."),
    moderator("POST", "/v1/members/{account}/bans", account.ChangeBan, account.Member,
              lambda box, call: box.members.ban(admin_of(call), call.octets("account"), call.body),
              "Ban from writing in boards or channels, or lift a ban."),
    admin("DELETE", "/v1/members/{account}", None, None, remove_member, "Delete a member's account."),
    member("POST", "/v1/thanks", moderation.Thank, moderation.Thanked,
           lambda box, call: box.moderation.thanking.give(call.member, call.body), "Thank for an entry."),
    member("POST", "/v1/thanks/take-back", moderation.Thank, moderation.Thanked,
           lambda box, call: box.moderation.thanking.take_back(call.member, call.body), "Take thanks back."),
    member("POST", "/v1/reports", moderation.NewReport, moderation.OwnReport,
           lambda box, call: box.moderation.reports.make(call.member, call.body),
           "Report an entry or a person to those who look after the box."),
    member("GET", "/v1/reports/mine", None, moderation.OwnReports,
           lambda box, call: box.moderation.reports.own(call.member),
           "What one reported, and what became of it."),
    moderator("GET", "/v1/reports", None, moderation.Reports, reports,
              "Reports that wait (the oldest first), or with state=closed settled ones.",
              query=("state", "after", "limit")),
    moderator("POST", "/v1/reports/{id}/take", None, moderation.Report,
              lambda box, call: box.moderation.reports.take(admin_of(call), call.octets("id")),
              "Say that one looks at a report."),
    moderator("POST", "/v1/reports/{id}/release", None, moderation.Report,
              lambda box, call: box.moderation.reports.take(admin_of(call), call.octets("id"), release=True),
              "Leave it to others again."),
    moderator("POST", "/v1/reports/{id}/close", moderation.CloseReport, moderation.Report,
              lambda box, call: box.moderation.reports.close(admin_of(call), call.octets("id"), call.body),
              "Settle a report; its reporter is told."),
    admin("GET", "/v1/audit", None, audit.Acts, acts,
          "What those did who look after the box, the newest first.", query=("before", "limit")),
    Row("DELETE", "/v1/audit", None, None, wipe_audit, "Remove every act from the audit log."),
    admin("GET", "/v1/approvals", None, moderation.Approvals,
          lambda box, call: box.moderation.four_eyes.page(admin_of(call)),
          "Acts that wait for a second pair of eyes."),
    admin("POST", "/v1/approvals/{id}", None, None,
          lambda box, call: box.moderation.four_eyes.approve(admin_of(call), call.octets("id")),
          "Agree to an act: it is done."),
    admin("DELETE", "/v1/approvals/{id}", None, None,
          lambda box, call: box.moderation.four_eyes.refuse(admin_of(call), call.octets("id")),
          "Refuse an act, or take back that one asked for it."),
)  # fmt: skip
