"""The directory: devices and keys of this box's people and, through it, of others'."""

from __future__ import annotations

from typing import Final

from appliance.api.row import Row, anyone, member
from appliance.protocol import directory

DIRECTORY: Final[tuple[Row, ...]] = (
    anyone("POST", "/v1/directory", directory.LookUp, directory.Found,
           lambda box, call: box.directory.look_up(call.body),
           "The signed entry of a name with its proof, and the devices' bundles.", hot=True),
    anyone("POST", "/v1/directory/prekeys", directory.TakePrekeys, directory.Taken,
           lambda box, call: box.directory.take(call.body),
           "One one-time prekey of each device, gone from the box for good.", hot=True),
    anyone("GET", "/v1/directory/checkpoint", None, directory.Checkpoint,
           lambda box, call: box.directory.checkpoint(), "The signed head of the log."),
    anyone("POST", "/v1/directory/consistency", directory.ConsistencyQuery, directory.Consistency,
           lambda box, call: box.directory.consistency(call.body),
           "The proof that an older tree is a prefix of a later one."),
    anyone("GET", "/v1/directory/leaves", None, directory.Leaves,
           lambda box, call: box.directory.leaves(call.number("start", 0)),
           "Signed entries of the log in order.", query=("start",)),
    member("POST", "/v1/people", directory.FarLookUp, directory.Found,
           lambda box, call: box.people.look_up(call.member, call.body),
           "Look somebody up at their box; its answer is passed on as it is."),
    member("POST", "/v1/people/prekeys", directory.FarTake, directory.Taken,
           lambda box, call: box.people.take(call.member, call.body),
           "The same for one-time prekeys; this box solves the puzzle, if there is one."),
    member("POST", "/v1/people/consistency", directory.FarConsistency, directory.Consistency,
           lambda box, call: box.people.consistency(call.member, call.body),
           "The same for the proof of another box's log."),
    member("POST", "/v1/prekeys", directory.Publish, directory.Published,
           lambda box, call: box.directory.publish(call.member, call.body),
           "Put one's entry, bundle and one-time prekeys in force, all or none."),
    member("GET", "/v1/prekeys", None, directory.Published,
           lambda box, call: box.directory.published(call.member),
           "One's entry with its proof, and how many one-time prekeys the device has."),
)  # fmt: skip
