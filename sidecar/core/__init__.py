"""What is true, and what follows from it: pure functions and values, no I/O and no clock."""
