"""``python -m hallmark.cli``."""

from hallmark.cli import main

if __name__ == "__main__":
    main()
