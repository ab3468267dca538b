"""Requests in, answers out: every request is checked against a model, and every mistake is one line."""

from __future__ import annotations

import asyncio
import functools
import json
import logging
import threading
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import anyio
import anyio.to_thread
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from videdit.errors import NoFaceError, Superseded, UsageError, VideditError, machine_failure

log = logging.getLogger(__name__)

PATIENCE = 20.0  # seconds in which the body of a request has to arrive
HEAVY = 8  # pieces of work with pictures at a time; all else has threads of its own, and is answered meanwhile
WAITING = 32  # more of them that may wait
_EVERY = 0.25  # seconds between two looks whether somebody still waits for an answer

Model = TypeVar("Model", bound="Ask")
Endpoint = Callable[[Request], Awaitable[Response]]


class Ask(BaseModel):
    """What a page asks; anything else than its fields is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


async def body(request: Request, model: type[Model]) -> Model:
    """The body of a request. Raises UsageError: it is not what is expected."""
    try:
        return model.model_validate(json.loads(await asyncio.wait_for(request.body(), PATIENCE)))
    except TimeoutError:
        raise UsageError(f"the request did not arrive within {PATIENCE:g} s") from None
    except ValidationError as error:
        raise UsageError(_first(error)) from None
    except (ValueError, RecursionError):
        raise UsageError("the request is no JSON") from None


def query(request: Request, model: type[Model]) -> Model:
    """The words behind the question mark of a request. Raises UsageError: they are not what is expected."""
    try:
        return model.model_validate(dict(request.query_params))
    except ValidationError as error:
        raise UsageError(_first(error)) from None


def _first(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"


def answered(endpoint: Endpoint) -> Endpoint:
    """An endpoint whose failures are told in one line, and never by where they come from."""

    @functools.wraps(endpoint)
    async def guarded(request: Request) -> Response:
        try:
            return await endpoint(request)
        except VideditError as error:
            return refused(error)
        except Exception as error:
            log.error("%s: unexpected %s: %s", request.url.path, type(error).__name__, " ".join(str(error).split()))
            log.debug("where", exc_info=True)
            if failure := machine_failure(error):
                return refused(failure)
            return JSONResponse({"error": f"unexpected {type(error).__name__}; the studio's terminal tells more"}, 500)

    return guarded


class BusyError(VideditError):
    """More is asked for than can be done in reasonable time."""


class HeavyWork:
    """Work with pictures: some at a time, some that wait, and what nobody waits for any more is stopped."""

    def __init__(self) -> None:
        """Without a limit yet: that belongs to the loop in which the first request comes."""
        self._limiter: anyio.CapacityLimiter | None = None
        self._asked = 0  # pieces of work that run or wait; the limiter counts those late that came at once

    async def __call__(self, request: Request, work: Callable[[threading.Event], Any]) -> Any:
        """What work gives, done in a thread; the event that it gets is set when the page that asked has gone.

        Raises:
            BusyError: too much is waiting.
        """
        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(HEAVY)
        if self._asked >= HEAVY + WAITING:
            raise BusyError("the studio has more to do than it can; try again in a moment")
        cancel = threading.Event()
        self._asked += 1
        task = asyncio.ensure_future(anyio.to_thread.run_sync(work, cancel, limiter=self._limiter))
        task.add_done_callback(self._done)
        while not (await asyncio.wait({task}, timeout=_EVERY))[0]:
            if await request.is_disconnected():
                cancel.set()
        return task.result()

    def _done(self, _: object) -> None:
        self._asked -= 1


def refused(error: VideditError) -> Response:
    """An error as an answer."""
    status = {Superseded: 409, NoFaceError: 404, UsageError: 400, BusyError: 503}.get(type(error), 422)
    kind = type(error).__name__.removesuffix("Error").lower()
    return JSONResponse({"error": str(error), "kind": kind}, status)


async def aside(work: Callable[..., Any], *words: Any, **more: Any) -> Any:
    """What work gives, done in a thread."""
    return await run_in_threadpool(work, *words, **more)
