"""The pages of the notebook."""

from __future__ import annotations

import asyncio

from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render

from notes.models import Note


def index(request: HttpRequest) -> HttpResponse:
    notes = Note.objects.select_related("author").order_by("-id")[:20]
    return render(request, "notes/index.html", {"notes": notes})


def authors(request: HttpRequest) -> HttpResponse:
    rows = []
    for note in Note.objects.order_by("-id")[:120]:
        rows.append({"note": note.title, "author": note.author.name})  # planted: repeated_query
    return JsonResponse({"rows": rows})


def calendar(request: HttpRequest) -> HttpResponse:
    notes = list(Note.objects.order_by("id")[:180])
    return render(request, "notes/calendar.html", {"notes": notes})  # planted: slow_template


def note(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(Note, pk=pk)
    return JsonResponse({"id": found.pk, "title": found.title})


def export(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(
        (f"{note.pk},{note.title}\n" for note in Note.objects.order_by("id")[:50]), content_type="text/csv"
    )


async def pulse(request: HttpRequest) -> HttpResponse:
    await asyncio.sleep(0.01)
    return JsonResponse({"alive": True})
