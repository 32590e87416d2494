"""The main job from end to end: writer, relay, consumer and search, on embedded or real servers, checked from outside."""
