"""The main job from end to end: writer, relay, consumer and search, checked from outside."""
