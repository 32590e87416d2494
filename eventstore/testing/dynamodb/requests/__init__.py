"""What requests look like: the members of each, checked for callers in this process and decoded from the wire."""
