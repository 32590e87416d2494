"""The event bus: RabbitMQ behind a port, every aggregate in order."""
