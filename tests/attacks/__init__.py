"""Clients that want a sidecar to end, on one core."""
