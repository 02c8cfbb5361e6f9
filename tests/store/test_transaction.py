from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.store.engine import Store, Table, Transaction

THINGS = Table("things")

keys = st.binary(min_size=1, max_size=3)


@settings(max_examples=60, deadline=None)
@given(
    rows=st.dictionaries(keys, st.binary(max_size=4), max_size=12),
    start=st.one_of(st.just(b""), keys),
    stop=st.one_of(st.none(), keys),
    limit=st.one_of(st.none(), st.integers(0, 5)),
)
def test_ranges_are_those_of_a_sorted_map(
    rows: dict[bytes, bytes],
    start: bytes,
    stop: bytes | None,
    limit: int | None,
) -> None:
    def check(txn: Transaction) -> None:
        for key, value in rows.items():
            txn.put(THINGS, key, value)
        assert txn.count(THINGS) == len(rows)
        expected = [(k, v) for k, v in sorted(rows.items()) if k >= start and (stop is None or k < stop)]
        assert list(txn.range(THINGS, start, stop, limit=limit)) == expected[:limit]
        assert list(txn.keys(THINGS, start, stop, limit)) == [key for key, _ in expected][:limit]
        backwards = expected[::-1][:limit]
        assert list(txn.range(THINGS, start, stop, reverse=True, limit=limit)) == backwards
        for key in rows:
            assert txn.delete(THINGS, key) and not txn.delete(THINGS, key)

    with TemporaryDirectory() as folder:
        store = Store.open(Path(folder), (THINGS,), reserve=64 * 1024)
        store.write_now(check)
        store.close()
