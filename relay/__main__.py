"""`python -m relay`: the command `relay`, for processes that start it by the interpreter at hand."""

from relay.cli import main

if __name__ == "__main__":
    main()
