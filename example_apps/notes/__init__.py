"""A notebook in Django: the ORM, a template, an async view, and faults planted for the dashboard to find."""
