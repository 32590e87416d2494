"""`python -m relay`: the command `relay`, for processes that start it with the current interpreter."""

from relay.cli import main

if __name__ == "__main__":
    main()
