"""What coding assistants may ask of a store, by the Model Context Protocol: the questions of the API, read-only,
masked, and small."""
