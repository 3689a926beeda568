"""The registry of models: what is kept, and what serves."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi import Path as InPath
from fastapi.responses import FileResponse
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from rayon.errors import ModelError
from rayon.operations.model_archives import pack_model
from rayon.serving.auth import Admin, Reviewer
from rayon.serving.downloads import download_made
from rayon.serving.gate_schemas import CompareIn, JudgedOut, PromoteIn, VerdictOut, change_of
from rayon.serving.judging import gatekeeper, judging
from rayon.serving.model_imports import new_archive, register_archive
from rayon.serving.model_schemas import ModelVersionOut, PromotionOut, ReasonIn
from rayon.serving.problems import problem_responses
from rayon.serving.services import services

router = APIRouter(tags=["model"])
Name = Annotated[str, InPath(max_length=64)]
ZIP = "application/zip"


@router.get("/models")
def list_(request: Request, _user: Reviewer) -> list[ModelVersionOut]:
    """List the models that are registered, the last one first."""
    registry = services(request).registry
    champion = registry.champion()
    return [ModelVersionOut.of(version, champion) for version in registry.versions()]


@router.get("/models/promotions")
def promotions(request: Request, _user: Reviewer) -> list[PromotionOut]:
    """See when the champion changed, by whom and why, newest first."""
    return [PromotionOut.of(one) for one in services(request).registry.promotions()]


@router.post("/models/rollback", responses=problem_responses(409, 422))
def rollback(request: Request, user: Admin, why: ReasonIn) -> PromotionOut:
    """Go back to the champion before this one; processes follow within seconds."""
    served = services(request)
    moved = served.registry.rollback(user.name, why.reason)
    served.mirror()
    return PromotionOut.of(moved)


@router.get("/models/verdicts")
def verdicts(request: Request, _user: Reviewer) -> list[VerdictOut]:
    """See what was asked of the golden set, and what came of it, newest first."""
    return [VerdictOut.of(one) for one in gatekeeper(services(request)).verdicts()]


@router.post("/models/compare", responses=problem_responses(400, 404, 409, 422))
def compare(request: Request, user: Admin, asked: CompareIn) -> JudgedOut:
    """Judge on the golden set whether a model may take another's place, without promoting it.

    Every new question is judged more strictly than the one before, so it is for administrators.
    """
    with judging(services(request)) as (gate, watch):
        judged = gate.judge(
            asked.challenger, user.name, watch, champion=asked.champion, change=change_of(asked)
        )
    return JudgedOut.of(judged)


@router.post(
    "/models/import",
    status_code=201,
    responses=problem_responses(400, 408, 413, 500),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {ZIP: {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def import_(request: Request, user: Admin) -> ModelVersionOut:
    """Register a model from a ZIP of its files; the same one is kept once."""
    served = services(request)
    archive = await _received(request, served.exports)
    made = await run_in_threadpool(register_archive, served, archive, user.name)
    return ModelVersionOut.of(made, await run_in_threadpool(served.registry.champion))


@router.get("/models/{name}", responses=problem_responses(404))
def get(request: Request, _user: Reviewer, name: Name) -> ModelVersionOut:
    """See a model, by its name or the beginning of it."""
    registry = services(request).registry
    return ModelVersionOut.of(registry.find(name), registry.champion())


@router.post("/models/{name}/promote", responses=problem_responses(400, 404, 409, 422))
def promote(request: Request, user: Admin, name: Name, asked: PromoteIn) -> PromotionOut:
    """Make a model the champion if the gate lets it through; processes follow within seconds.

    Where there is a golden set, both models answer it first, which may take minutes; no request is dropped
    meanwhile. A refusal is a 409 with the `verdict`.
    """
    served = services(request)
    with judging(served) as (gate, watch):
        moved = gate.promote(name, user.name, asked.reason, watch, force=asked.force, change=change_of(asked))
    served.mirror()
    return PromotionOut.of(moved)


@router.get(
    "/models/{name}/export",
    response_class=FileResponse,
    responses={200: {"content": {ZIP: {}}}, **problem_responses(400, 404, 500)},
)
def export(request: Request, _user: Admin, name: Name) -> FileResponse:
    """Download a model as a ZIP of its files, which another installation can import."""
    served = services(request)
    found = served.registry.find(name).name
    folder = served.registry.folder_of(found)
    return download_made(served, lambda path: pack_model(folder, path), f"{found}.zip", ZIP)


async def _received(request: Request, folder: Path) -> Path:
    """Keep the body of a request in a file of that folder; who is asking has been checked by now."""
    try:
        with new_archive(folder) as file:
            async for chunk in request.stream():
                await run_in_threadpool(file.write, chunk)
    except ClientDisconnect:
        raise ModelError("The archive broke off", "Send it again") from None
    return Path(file.name)
