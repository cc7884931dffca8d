"""Equivalence on real projects: public Django projects, migrated for real, cut by cut."""
