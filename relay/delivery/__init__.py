"""The one path of delivery: what is owed is put in order, carried to the destinations, and settled."""
