"""The nouns of the house: plain data that imports nothing of ours."""
