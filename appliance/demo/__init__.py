"""The whole story on one machine: a private Tor network and boxes as child processes."""
