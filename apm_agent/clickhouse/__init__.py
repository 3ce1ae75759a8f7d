"""The store that many machines share, as both wings know it: its address, its tables, one way to speak to it."""
