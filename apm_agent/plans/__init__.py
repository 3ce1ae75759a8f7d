"""Plans of statements, asked of a database when somebody clicks: EXPLAIN without running anything."""
