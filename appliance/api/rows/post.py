"""Post: dispatches, mailboxes of devices, queues, attachments, signals and events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from appliance.api.call import Call
from appliance.api.row import anyone, member
from appliance.errors import Refusal
from appliance.protocol import codec, post

if TYPE_CHECKING:
    from appliance.service.box import Box


async def events(box: Box, call: Call) -> post.Events:
    """The long poll; a socket comes another way (api/events.py) and needs its upgrade."""
    if "ticket" in call.query:
        raise Refusal("upgrade")
    stream = codec.from_text(call.query.get("stream", ""))
    return await box.post.events.wait(call.member, stream, call.number("after", 0))


POST: Final = (
    member("POST", "/v1/dispatch", post.Dispatch, post.DispatchState,
           lambda box, call: box.post.dispatch.send(call.member, call.body),
           "Envelopes to be delivered; answered once they are durable.", hot=True),
    member("GET", "/v1/dispatch", None, post.Dispatches,
           lambda box, call: box.post.dispatch.page(call.member), "What is on its way, or was today."),
    member("DELETE", "/v1/dispatch/{id}", None, None,
           lambda box, call: box.post.dispatch.remove(call.member, call.octets("id")),
           "Give a dispatch up, or forget it."),
    member("POST", "/v1/mailboxes/mine", post.WantMailboxes, post.AllRoutes,
           lambda box, call: box.post.mailboxes.want(call.member, call.body),
           "Mailboxes for handles of this device, and their routes."),
    member("POST", "/v1/mailboxes/drop", post.DropMailboxes, None,
           lambda box, call: box.post.mailboxes.drop(call.member, call.body), "Give mailboxes up."),
    member("GET", "/v1/queue", None, post.Queue,
           lambda box, call: box.post.queue.read(call.member, call.number("after", 0),
                                                 call.number("limit", 64)),
           "What waits for this device, in order of arrival.", query=("after", "limit")),
    member("POST", "/v1/queue/settle", post.Settle, None,
           lambda box, call: box.post.queue.settle(call.member, call.body),
           "Remove from the queue; keep attachments.", hot=True),
    member("POST", "/v1/kept/read", post.ReadKept, post.Kept,
           lambda box, call: box.post.queue.read_kept(call.member, call.body), "Kept envelopes by id."),
    member("POST", "/v1/kept/lacking", post.ReadKept, post.Lacking,
           lambda box, call: box.post.queue.lacking(call.member, call.body),
           "Which of these ids are not kept: how far an upload came."),
    member("POST", "/v1/kept", post.Keep, None,
           lambda box, call: box.post.queue.keep(call.member, call.body), "Keep envelopes of one's own."),
    member("POST", "/v1/kept/drop", post.DropKept, None,
           lambda box, call: box.post.queue.drop_kept(call.member, call.body), "Remove kept envelopes."),
    member("POST", "/v1/signals", post.Signal, None,
           lambda box, call: box.post.signals.send(call.member, call.body), "A passing sign.", hot=True),
    member("POST", "/v1/presence", post.Presence, None,
           lambda box, call: box.post.presence.show(call.member, call.body.visible),
           "Whether other members see that one is here."),
    member("GET", "/v1/here", None, post.Here,
           lambda box, call: box.post.presence.here(), "Members who are here and let it be seen."),
    member("GET", "/v1/listening", None, post.Listening,
           lambda box, call: box.post.events.listening(call.member),
           "Which of the account's devices hear what happens."),
    member("POST", "/v1/events/ticket", None, post.Ticket,
           lambda box, call: box.post.events.ticket(call.member), "Opens one event socket."),
    member("GET", "/v1/events", None, post.Events, events,
           "Events after a number, or a WebSocket with a `ticket` (SPEC.md).",
           query=("stream", "after")),
    anyone("POST", "/v1/signal", post.RelaySignal, None,
           lambda box, call: box.post.signals.receive(call.body, call.visit.circuit),
           "A passing sign from another box.", hot=True),
)  # fmt: skip
