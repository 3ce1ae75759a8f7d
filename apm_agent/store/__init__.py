"""Keeps: schema, writes, rollups and retention of the one SQLite file."""
