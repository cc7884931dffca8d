"""For projects that add `sidecar` to INSTALLED_APPS."""
