"""What commands read: lines of events, points in time, expected versions, search terms."""
