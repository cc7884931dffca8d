"""How the answer leaves: each module tells a snapshot to somebody, and knows no other."""
