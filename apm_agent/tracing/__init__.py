"""Who is current, and how transactions and spans begin and end; runs on the request's thread."""
