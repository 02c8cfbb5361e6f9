"""What strangers may ask of the relay."""

from __future__ import annotations

from typing import Final

from appliance.api import handlers
from appliance.api.row import anyone
from appliance.protocol import messages

RELAY: Final = (
    anyone("GET", "/v1/relay", None, messages.RelayInfo, handlers.relay_info, "Policy and bounds."),
    anyone("GET", "/v1/nonces", None, messages.Nonces, handlers.nonces, "Nonces for signed requests.",
           query=("count",), hot=True),
    anyone("POST", "/v1/grants", messages.GrantRequest, messages.Grant,
           lambda box, call: box.admission.grant(call.body), "Obtain a grant by work or as a peer."),
    anyone("POST", "/v1/mailboxes", messages.CreateMailbox, messages.MailboxState,
           lambda box, call: box.relay.create(call.body), "Create a mailbox under a grant."),
    anyone("POST", "/v1/mailboxes/delete", messages.DeleteMailbox, None,
           lambda box, call: box.relay.delete(call.body), "Delete a mailbox and all it holds."),
    anyone("POST", "/v1/deposit", messages.Deposit, messages.Deposited,
           handlers.deposit, "Leave envelopes; answered once they are durable.", hot=True),
    anyone("POST", "/v1/fetch", messages.Fetch, messages.Fetched,
           lambda box, call: box.relay.fetch(call.body), "Read envelopes in order of arrival.", hot=True),
    anyone("POST", "/v1/acknowledge", messages.Acknowledge, messages.Acknowledged,
           lambda box, call: box.relay.acknowledge(call.body), "Remove fetched envelopes.", hot=True),
    anyone("GET", "/v1/relay/stream", None, None, handlers.stream_needs_upgrade,
           "A WebSocket with the relay's operations (SPEC.md)."),
    anyone("GET", "/v1/errors", None, handlers.Errors, handlers.errors, "Every refusal."),
)  # fmt: skip
