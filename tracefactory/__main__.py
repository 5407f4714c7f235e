"""`python -m tracefactory`: the same as the `tracefactory` command."""

from tracefactory.cli import main

if __name__ == "__main__":
    main()
