"""What operators do: see what is owed, replay, release and drop, with a record of who did it."""
