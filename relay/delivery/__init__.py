"""The one path of delivery: a page is put in order, handed to the destinations, and settled."""
