"""`python -m sidecar` is the same as the command `sidecar`."""

from sidecar.cli import script

if __name__ == "__main__":
    script()
