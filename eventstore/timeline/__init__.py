"""Events by type, by aggregate type and by time: the write-sharded indexes merged into one order."""
