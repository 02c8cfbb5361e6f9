"""The Tor child: process, control, onion service, transport, private test network."""
