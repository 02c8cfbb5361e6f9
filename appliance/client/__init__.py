"""The headless client: the same protocol without a browser."""
