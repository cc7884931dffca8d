"""The suite on the newest and on the oldest of everything."""
