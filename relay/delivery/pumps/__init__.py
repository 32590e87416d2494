"""The parts that carry commits to the destinations: one for the bus, one for each side."""
