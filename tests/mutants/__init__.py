"""Mutation testing of what decides: each small change of a pure module must be noticed by that module's own tests."""
