"""What a worker reports about itself: metrics, health, and the report in its record."""
