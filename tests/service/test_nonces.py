import pytest

from appliance.errors import Refusal
from appliance.service.nonces import MAX_ISSUED, NONCE_SECONDS, NonceBook, StreamNonces


class Time:
    now = 1_000_000.0

    def __call__(self):
        return self.now


def refused(code, call, *args):
    with pytest.raises(Refusal) as caught:
        call(*args)
    assert caught.value.code == code


def test_a_nonce_is_good_once():
    book = NonceBook(Time(), 100)
    nonce = book.nonces(1).nonces[0]
    book.check(nonce)
    book.spend(nonce)
    refused("nonce", book.check, nonce)


def test_a_nonce_dies_with_its_time():
    time = Time()
    book = NonceBook(time, 100)
    nonce = book.nonces(1).nonces[0]
    time.now += NONCE_SECONDS + 0.1
    refused("nonce", book.check, nonce)


def test_a_forged_or_foreign_nonce_is_refused():
    book, other = NonceBook(Time(), 100), NonceBook(Time(), 100)
    nonce = other.nonces(1).nonces[0]
    refused("nonce", book.check, nonce)
    mine = bytearray(book.nonces(1).nonces[0])
    mine[0] ^= 1
    refused("nonce", book.check, bytes(mine))


def test_the_memory_of_used_nonces_is_bounded_and_is_freed_by_time():
    time = Time()
    book = NonceBook(time, 3)
    for nonce in book.nonces(3).nonces:
        book.spend(nonce)
    refused("busy", book.spend, book.nonces(1).nonces[0])
    time.now += NONCE_SECONDS + 1
    book.spend(book.nonces(1).nonces[0])


def test_no_more_than_the_bound_is_issued():
    book = NonceBook(Time(), 3)
    assert len(book.nonces(10_000).nonces) == MAX_ISSUED
    assert len(book.nonces(-5).nonces) == 1


def test_a_stream_counts_up():
    nonces = StreamNonces()
    one, two = (nonces.prefix + n.to_bytes(8, "big") for n in (1, 2))
    nonces.check(two)
    nonces.spend(two)
    refused("nonce", nonces.check, two)
    refused("nonce", nonces.check, one)
    refused("nonce", nonces.check, bytes(24) + (9).to_bytes(8, "big"))
