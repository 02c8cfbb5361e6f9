"""What counts as unread, with several devices whose clocks say nothing."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from appliance.client.person import records, unread
from tests.boxes import Net, running
from tests.clients import befriend, coming_back, joining, once, texts

DEVICES = 3
DEVICE = st.integers(0, DEVICES - 1)


def name(message: int) -> bytes:
    return message.to_bytes(8, "little") + bytes(8)


class Unread(RuleBasedStateMachine):
    """Devices that see talk and log as they were when they looked last, and a sender with any clock."""

    @initialize()
    def begin(self) -> None:
        self.talk = records.new_talk("contact")
        self.sent: list[int] = []
        self.log: set[int] = set()
        self.read: set[int] = set()
        self.waiting: list[list[int]] = [[] for _ in range(DEVICES)]
        self.views = [(self.talk, set(self.log)) for _ in range(DEVICES)]

    @rule(sent=st.integers(0, 2000), more=st.integers(1, 40))
    def come(self, sent: int, more: int) -> None:
        for at in range(more):
            for queue in self.waiting:
                queue.append(len(self.sent))
            self.sent.append(sent + at)

    @rule(device=DEVICE)
    def look(self, device: int) -> None:
        self.views[device] = (self.talk, set(self.log))

    @precondition(lambda self: any(self.waiting))
    @rule(
        device=st.integers(0, DEVICES - 1), count=st.integers(1, 60), at=st.integers(0, 5), late=st.booleans()
    )
    def take(self, device: int, count: int, at: int, late: bool) -> None:
        """Take some in, by what was seen before the others went on (`late`) or as it is."""
        # Who has seen too little of what the others did looks again.
        if not late or not unread.follows(self.views[device][0], self.talk):
            self.look(device)
        talk, log = self.views[device]
        queue = self.waiting[device]
        some, self.waiting[device] = queue[at : at + count], queue[:at] + queue[at + count :]
        for message in some:
            id, sent = name(message), self.sent[message]
            if unread.was_taken(talk, id) or (unread.needs_log(talk, id, sent) and message in log):
                continue
            before = len(self.talk.fresh)
            self.talk = unread.take(self.talk, id, sent)
            talk = unread.take(talk, id, sent)
            assert (len(self.talk.fresh) > before) == (message not in self.log)
            self.log.add(message)
        if talk is not self.views[device][0]:
            # What is saved is saved on top of what the others did, which the conflict has brought.
            self.look(device)

    @rule(share=st.floats(0, 1))
    def mark(self, share: float) -> None:
        seen = self.talk.fresh[: round(share * len(self.talk.fresh))]
        self.read |= {int.from_bytes(one[:8], "little") for one in seen}
        self.talk = unread.read(self.talk, seen)

    @invariant()
    def unread_is_what_was_taken_in_and_not_read(self) -> None:
        if hasattr(self, "talk"):
            assert sorted(self.talk.fresh) == sorted(name(one) for one in self.log - self.read)
            assert len(self.talk.taken) <= unread.MAX_TAKEN * 16


Unread.TestCase.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)
TestUnread = Unread.TestCase


async def test_what_a_device_finds_in_its_queue_was_read_on_another_one(tmp_path):
    async with (
        running(Net(), tmp_path / "box", registration="open") as box,
        joining(box, "bob") as bob,
        joining(box, "ada") as ada,
    ):
        await befriend(ada, bob)
        async with coming_back(box, "ada") as other:
            device = other.device
            await bob._core.people.refresh(bob._core.chats.at(ada.address).id)
            await bob.send(ada.address, "to both")
            await once(other, lambda: other.contacts()[0].unread == 1)
        for number in range(5):
            await bob.send(ada.address, f"{number}")
        await once(ada, lambda: ada.contacts()[0].unread == 6)
        await ada.mark_read(bob.address)
        async with coming_back(box, "ada") as other:
            assert other.device == device
            await other.settled()
            assert [one.contacts()[0].unread for one in (ada, other)] == [0, 0]
            assert (await texts(other, bob.address))[-6:] == ["to both", "0", "1", "2", "3", "4"]
            await bob.send(ada.address, "news")
            for one in (ada, other):
                await once(one, lambda one=one: one.contacts()[0].unread == 1)
