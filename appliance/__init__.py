"""Private Island: one process that launches its own Tor and keeps sealed envelopes."""

__version__ = "0.1.0"
