"""Which worker does what: the leases of shards and of the sweep, and the workers that hold them."""
