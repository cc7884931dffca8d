"""The rows of the table: each module measures one thing, in rounds, beside its peers."""
