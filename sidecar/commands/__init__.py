"""One verb a file; each has SETTINGS (groups of flags), add_options and run."""
