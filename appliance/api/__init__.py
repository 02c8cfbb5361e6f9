"""HTTP: one route table, two entrances, streams, static files."""
