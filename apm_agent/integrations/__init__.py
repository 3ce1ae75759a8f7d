"""Opens transactions: one file a way of being called."""
