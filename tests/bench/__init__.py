"""Benchmarks: what they measure is stated in the docs, and gates nothing."""
