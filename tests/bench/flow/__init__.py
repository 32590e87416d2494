"""Measurements of delivery: what arrives, how often, how late, and what stands still meanwhile."""
