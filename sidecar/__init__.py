"""migration-sidecar: traffic reaches a Django app only after its database schema is current."""

__version__ = "0.1.0"
