"""The supervisor of the real servers on a developer's machine and in CI; standard library only."""
