"""Pure protocol core: bytes and values, no I/O, no clock, no randomness of its own (SPEC.md)."""
