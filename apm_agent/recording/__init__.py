"""Carries finished transactions out of the request: queue, writer's thread, digest."""
