"""What operators do with parked commits: find, group, release, follow, drop."""
