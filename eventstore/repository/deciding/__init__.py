"""Decisions on states: what they may return, and how they are stored."""
