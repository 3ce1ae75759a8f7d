"""Asks the store: one file a page, one function a question."""
