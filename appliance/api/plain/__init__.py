"""Pages for browsers without scripts: rendered here, of the same looks as the client."""
