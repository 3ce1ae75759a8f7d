"""The half of the dashboard that answers: access, JSON API, pages and their assets."""
