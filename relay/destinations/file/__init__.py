"""A file as a destination: every event a line of JSON."""
