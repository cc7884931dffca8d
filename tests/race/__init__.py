"""Replicas that all apply migrations at once."""
