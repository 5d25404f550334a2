"""`python -m isengard`: the same as the `isengard` command."""

from isengard.cli.main import run

if __name__ == "__main__":
    run()
