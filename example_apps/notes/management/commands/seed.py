"""`python manage.py seed` makes the tables and fills them, once."""

from __future__ import annotations

from django.core.management import call_command
from django.core.management.base import BaseCommand

from notes.models import Author, Note


class Command(BaseCommand):
    help = "Make the tables and fill them."

    def handle(self, *arguments: object, **options: object) -> None:
        call_command("migrate", run_syncdb=True, verbosity=0)
        if Note.objects.exists():
            return
        Author.objects.bulk_create(Author(id=n, name=f"author {n}") for n in range(1, 121))
        Note.objects.bulk_create(
            Note(id=n, author_id=n % 120 + 1, title=f"note {n}", day=n % 28) for n in range(1, 201)
        )
