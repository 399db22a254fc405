"""`python -m maskmotion` is the command `maskmotion`."""

import sys

from maskmotion.cli import main

if __name__ == "__main__":
    sys.exit(main())
