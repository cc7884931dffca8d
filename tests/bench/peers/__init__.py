"""What a team would run instead, each a program of its own."""
