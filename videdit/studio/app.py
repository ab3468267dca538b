"""The application: what a page may ask, and under which address."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from time import perf_counter

import numpy as np
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from videdit._version import __version__
from videdit.edits.keyframes import EASINGS
from videdit.errors import UsageError
from videdit.studio.answers import Endpoint, HeavyWork, answered, aside, body, query
from videdit.studio.clips import jpeg, png
from videdit.studio.document import catalogue_for_pages, document_of, output_of
from videdit.studio.projects import command, project_text
from videdit.studio.requests import (
    Action,
    Naming,
    OfClip,
    OfDocument,
    OfFace,
    OfFolder,
    OfFrame,
    Pausing,
    Previewing,
    RenderRequest,
    Saving,
    Strip,
    Words,
)
from videdit.studio.studio import Studio

PAGE = Path(__file__).resolve().parent / "page"


def application(studio: Studio) -> Starlette:
    """The application of a studio; :class:`videdit.studio.guard.Guard` has to stand before it."""

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        studio.begin()
        try:
            yield
        finally:
            studio.events.end()
            await aside(studio.close)

    pages = _Pages(studio)
    routes: list[Route | Mount] = [
        Route("/", _index),
        Route("/api/events", pages.events),
        Route("/api/queue/{number:int}", answered(pages.act), methods=["POST"]),
        Route("/api/queue/{number:int}/log", answered(pages.log)),
        Mount("/page", StaticFiles(directory=PAGE)),
    ]
    asked: dict[str, Endpoint] = {
        "start": pages.start,
        "folder": pages.folder,
        "clip": pages.clip,
        "poster": pages.poster,
        "frame": pages.frame,
        "play": pages.play,
        "people": pages.people,
        "portrait": pages.portrait,
        "faces": pages.faces,
        "queue": pages.queue,
    }
    told: dict[str, Endpoint] = {
        "look": pages.look,
        "name": pages.name,
        "prepare": pages.prepare,
        "preview": pages.preview,
        "strip": pages.strip,
        "project": pages.save,
        "review": pages.review,
        "plan": pages.plan,
        "estimate": pages.estimate,
        "render": pages.render,
        "pause": pages.pause,
    }
    routes += [Route(f"/api/{name}", answered(endpoint)) for name, endpoint in asked.items()]
    routes += [Route(f"/api/{name}", answered(endpoint), methods=["POST"]) for name, endpoint in told.items()]
    return Starlette(routes=routes, lifespan=lifespan)


async def _index(_: Request) -> Response:
    return FileResponse(PAGE / "index.html")


class _Pages:
    """The endpoints: each reads what is asked, and leaves the work to the studio."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        # Apart, so that frames are shown while previews wait for their turn.
        self.previews, self.reading = HeavyWork(), HeavyWork()

    async def events(self, _: Request) -> Response:
        return StreamingResponse(self.studio.events.listen(), media_type="text/event-stream")

    async def start(self, _: Request) -> Response:
        edits = await aside(catalogue_for_pages)
        return JSONResponse(
            {"version": __version__, "edits": edits, "easings": list(EASINGS), "opened": self.studio.opened}
        )

    async def folder(self, request: Request) -> Response:
        return JSONResponse(await aside(self.studio.clips.folder, query(request, OfFolder).folder))

    async def clip(self, request: Request) -> Response:
        return JSONResponse(await aside(self.studio.open, query(request, OfClip).clip))

    async def poster(self, request: Request) -> Response:
        path = self._path(query(request, OfClip))
        data = await self.reading(request, lambda _: self.studio.clips.poster(path))
        return Response(data, media_type="image/jpeg")

    async def frame(self, request: Request) -> Response:
        asked = query(request, OfFrame)
        path = self._path(asked)

        def draw(_: threading.Event) -> tuple[bytes, Words]:
            picture, begins = self.studio.clips.frame(path, asked.time, asked.side)
            told = {"time": begins, "faces": self.studio.faces_at(asked.clip, path, asked.time)}
            return (jpeg(picture, 90) if asked.side else png(picture)), told

        data, told = await self.reading(request, draw)
        return _picture(data, told, "image/jpeg" if asked.side else "image/png")

    async def play(self, request: Request) -> Response:
        path = self._path(query(request, OfClip))
        played = await self.reading(request, lambda cancel: self.studio.clips.playable(path, cancel=cancel))
        return FileResponse(played, media_type="video/mp4")

    async def prepare(self, request: Request) -> Response:
        asked = await body(request, OfClip)
        path = self._path(asked)

        def told(share: float | None) -> None:
            self.studio.events.tell("playback", clip=asked.clip, share=share)

        made = await self.reading(request, lambda cancel: self.studio.clips.playable(path, told, cancel))
        return JSONResponse({"copy": made != path})

    async def look(self, request: Request) -> Response:
        asked = await body(request, OfClip)
        return JSONResponse(self.studio.looks.ask(asked.clip, self._path(asked)))

    async def people(self, request: Request) -> Response:
        return JSONResponse(await aside(self.studio.people, query(request, OfClip).clip))

    async def portrait(self, request: Request) -> Response:
        asked = query(request, OfFace)
        picture = await aside(self.studio.portrait, asked.clip, asked.track)
        return Response(jpeg(picture, 92), media_type="image/jpeg")

    async def faces(self, request: Request) -> Response:
        asked = query(request, OfFrame)
        return JSONResponse(await aside(self.studio.faces_at, asked.clip, self._path(asked), asked.time))

    async def name(self, request: Request) -> Response:
        asked = await body(request, Naming)
        self._path(asked)
        await aside(self.studio.state.give_name, asked.clip, asked.track, asked.name.strip())
        self.studio.events.tell("names", clip=asked.clip)
        return JSONResponse({})

    async def preview(self, request: Request) -> Response:
        asked = await body(request, Previewing)
        path, document = self._path(asked), document_of(asked.document)

        def draw(cancel: threading.Event) -> tuple[bytes, Words, float]:
            place = asked.time, asked.tier, asked.viewer, asked.side
            picture, told = self.studio.preview(path, document, *place, cancel)
            begun = perf_counter()
            data = jpeg(picture) if asked.tier == "draft" else png(picture)
            return data, told, perf_counter() - begun

        begun = perf_counter()
        data, told, encoding = await self.previews(request, draw)
        answer = _picture(data, told, "image/jpeg" if asked.tier == "draft" else "image/png")
        parts = {"edit": told["seconds"], "encode": encoding, "all": perf_counter() - begun}
        answer.headers["Server-Timing"] = ", ".join(f"{name};dur={1000 * part:.1f}" for name, part in parts.items())
        return answer

    async def strip(self, request: Request) -> Response:
        asked = await body(request, Strip)
        path, document = self._path(asked), document_of(asked.document)

        def draw(cancel: threading.Event) -> np.ndarray:
            words = asked.edit, asked.who, asked.strengths, asked.time, asked.viewer
            return self.studio.strip(path, document, *words, cancel)

        picture = await self.previews(request, draw)
        return Response(jpeg(picture), media_type="image/jpeg")

    async def save(self, request: Request) -> Response:
        asked = await body(request, Saving)
        path, document = self._path(asked), document_of(asked.document)
        version, overtook = await aside(self.studio.projects.write, path, document, asked.version)
        self.studio.events.tell("project", clip=asked.clip, version=version, viewer=asked.viewer)
        return JSONResponse({"version": version, "overtook": overtook})

    async def review(self, request: Request) -> Response:
        asked = await body(request, OfDocument)
        words = asked.clip, self._path(asked), document_of(asked.document)
        return JSONResponse(await aside(self.studio.review, *words))

    async def plan(self, request: Request) -> Response:
        asked = await body(request, OfDocument)
        path, document = self._path(asked), document_of(asked.document)

        def made() -> Words:
            job = document.job(path)
            output = output_of(job)
            return {
                "name": output.name,
                "exists": output.exists(),
                "command": command(job, path),
                "yaml": project_text(job, path),
            }

        return JSONResponse(await aside(made))

    async def estimate(self, request: Request) -> Response:
        asked = await body(request, RenderRequest)
        path, document = self._path(asked), document_of(asked.document)

        def made(_: threading.Event) -> str:
            return self.studio.estimate(self.studio.plan(path, document, replace=True))

        return JSONResponse({"words": await self.previews(request, made)})

    async def render(self, request: Request) -> Response:
        asked = await body(request, RenderRequest)
        path, document = self._path(asked), document_of(asked.document)
        number = await aside(self.studio.render, path, document, asked.replace)
        return JSONResponse({"id": number})

    async def queue(self, _: Request) -> Response:
        rows = await aside(self.studio.queue.rows)
        jobs = await aside(lambda: [self.studio.job_row(row) for row in rows])
        return JSONResponse({"paused": self.studio.queue.paused, "jobs": jobs})

    async def pause(self, request: Request) -> Response:
        self.studio.queue.paused = (await body(request, Pausing)).paused
        self.studio.renders.wake()
        self.studio.events.tell("queue", id=0)
        return JSONResponse({})

    async def act(self, request: Request) -> Response:
        number, action = request.path_params["number"], (await body(request, Action)).action
        studio = self.studio

        def do() -> None:
            if action == "stop":
                studio.queue.stop(number)
            elif action == "retry":
                studio.queue.retry(number)
                studio.renders.wake()
            elif action == "remove":
                studio.queue.remove(number)
            else:
                studio.queue.move(number, -1 if action == "up" else 1)

        await aside(do)
        studio.events.tell("queue", id=number)
        return JSONResponse({})

    async def log(self, request: Request) -> Response:
        return Response(await aside(self.studio.log_of, request.path_params["number"]), media_type="text/plain")

    def _path(self, asked: OfClip) -> Path:
        path = self.studio.roots.path(asked.clip)
        if path.is_dir():
            raise UsageError(f"{path.name} is a folder")
        return path


def _picture(data: bytes, told: Words, kind: str) -> Response:
    return Response(data, media_type=kind, headers={"X-Frame-Facts": json.dumps(told)})
