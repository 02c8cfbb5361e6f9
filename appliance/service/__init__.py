"""Use cases: asynchronous, one transaction each."""
