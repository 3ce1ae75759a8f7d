"""Takes what the local store holds to a ClickHouse server, from a process of its own."""
