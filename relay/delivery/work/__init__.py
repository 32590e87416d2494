"""What the flow does, by whom it does it for; all of it under its one lock."""
