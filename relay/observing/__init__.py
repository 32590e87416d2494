"""What a worker tells of itself: numbers, health, and the report in its record."""
