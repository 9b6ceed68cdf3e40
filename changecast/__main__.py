"""`python -m changecast`, and the `changecast` script."""

from changecast.cli import main

if __name__ == "__main__":
    main()
