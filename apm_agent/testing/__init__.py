"""For tests of applications: a pytest plugin that counts queries, and a check that a test leaves nothing behind."""
