"""Parked commits in an operator's hands: found, grouped, released, followed, dropped."""
