"""`python -m protoviz`: the command line, where its script is not on the path."""

from protoviz.cli import app

if __name__ == "__main__":  # a spawned process imports this file too
    app(prog_name="protoviz")
