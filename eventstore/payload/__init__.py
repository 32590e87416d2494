"""What is in an event: plain JSON values."""
