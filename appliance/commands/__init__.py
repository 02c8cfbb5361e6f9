"""The command line: one module per group of commands, each a client of a running box."""
