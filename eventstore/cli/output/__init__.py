"""What commands print: events, differences, progress, and the JSON envelope."""
