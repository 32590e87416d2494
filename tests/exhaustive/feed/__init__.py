"""The feed: shards that split, end and are trimmed, and checkpoints that pass pages."""
