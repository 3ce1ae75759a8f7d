"""What watches a transaction from begin to end: one file a profiler, `start(transaction)`, `stop(transaction)`."""
