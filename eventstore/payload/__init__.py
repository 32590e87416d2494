"""What is in an event: plain JSON values, and JSON text given as such."""
