"""Expressions: parsed once, compiled into small objects, asked many times."""
