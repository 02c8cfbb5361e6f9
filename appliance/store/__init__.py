"""The only layer that touches the database: synchronous functions that take a transaction."""
