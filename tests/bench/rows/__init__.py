"""The rows of the table: a module for each quantity, measured in rounds beside its peers."""
