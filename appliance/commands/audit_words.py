"""The sentences of the audit log on the command line; the page has them in its catalogues."""

from __future__ import annotations

import time
from typing import Final

from appliance.protocol.audit import Act, Action

SENTENCES: Final[dict[Action, str]] = {
    "account.claim": "made the box their own",
    "member.role": "made {target} {new} (was {old})",
    "member.suspend": "suspended {target}{until}{reason}",
    "member.restore": "let {target} in again",
    "member.limits": "changed what {target} may do{limits}",
    "member.ban": "banned {target} from writing in {area}{until}",
    "member.unban": "lifted a ban of {target} in {area}",
    "member.remove": "deleted the account of {target}",
    "invite.make": "made an invite for {uses} as {role}{note}",
    "invite.revoke": "took an invite back{note}",
    "box.rename": "called the box “{target}”",
    "box.brand": "changed how the box shows itself: {target}",
    "box.settings": "changed settings: {target}",
    "box.protect": "let the box start locked",
    "box.unprotect": "let the box start unlocked",
    "grant.make": "invited “{target}” to keep mailboxes here",
    "grant.revoke": "took a grant of mailboxes back",
    "relay.use": "began to use a relay",
    "relay.leave": "left a relay",
    "reader.add": "let the reader “{target}” in",
    "reader.remove": "shut the reader “{target}” out",
    "key.add": "kept a key to a closed onion",
    "key.remove": "forgot a key to a closed onion",
    "report.take": "looks at a report about {target}",
    "report.release": "left a report about {target} to others",
    "report.done": "settled a report about {target}{did}",
    "report.refuse": "found nothing to do about a report about {target}",
    "ask.made": "asked for a second pair of eyes: {act} {target}",
    "ask.approved": "agreed to what {asked_by} asked for: {act} {target}",
    "ask.refused": "refused, or took back: {act} {target}",
    "audit.wipe": "removed all acts before this one",
    "board.make": "made the board “{target}”",
    "board.change": "changed the board “{target}”",
    "board.close": "closed the board “{target}”",
    "board.delete": "deleted the board “{target}”",
    "board.order": "put the boards in another order",
    "board.mirror": "began to mirror the board “{target}” of another box",
    "board.peers": "said which boxes may read the board “{target}”",
    "post.pin": "pinned a thread in “{target}”",
    "post.unpin": "unpinned a thread in “{target}”",
    "post.lock": "locked a thread in “{target}”",
    "post.unlock": "unlocked a thread in “{target}”",
    "post.remove": "removed a post in “{target}”",
    "post.release": "let a held post through in “{target}”",
    "channel.close": "closed the channel “{target}”",
    "channel.remove": "removed a message from the channel “{target}”",
}


class _Words(dict[str, str]):
    """What a sentence lacks is left out."""

    def __missing__(self, key: str) -> str:
        return ""


def sentence(act: Act) -> str:
    """What was done, as words after a name; an act of a newer version is told by its name."""
    details = act.details
    words = _Words({name: str(value) for name, value in details.items()}, target=act.target)
    until = details.get("until")
    words["until"] = f" until {moment(until)}" if isinstance(until, int) and until else ""
    words["reason"] = f": “{details['reason']}”" if details.get("reason") else ""
    words["did"] = f": {details['did']}" if details.get("did") else ""
    words["note"] = f" for “{act.target}”" if act.target else ""
    limits = [f"{name.removeprefix('can_')}: {details[name]}" for name in details if name.startswith("can_")]
    words["limits"] = f" ({', '.join(limits)})" if limits else ""
    form = {str(name): form for name, form in SENTENCES.items()}.get(act.action, act.action + " {target}")
    return form.format_map(words).strip()


def moment(second: int) -> str:
    """A time as this computer's clock shows it."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(second))


def actor(act: Act) -> str:
    """Who did it."""
    return act.name or "command line"
