"""Many schemas in one database, as multi-tenant projects have them."""
