"""The headless client of a person: an account opened from Python, with the same vault as the browser's."""
