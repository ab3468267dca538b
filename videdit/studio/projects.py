"""Projects: a job file beside its clip, saved by itself, which --config takes too."""

from __future__ import annotations

import hashlib
import shlex
import threading
from pathlib import Path
from typing import Any

import yaml

from videdit import paths
from videdit.errors import MediaError, UsageError
from videdit.jobs.job_file import load_jobs
from videdit.jobs.render_job import RenderJob
from videdit.media.frame_times import clock
from videdit.media.info import MediaInfo
from videdit.storage.outputs import put_text
from videdit.studio.document import Document, document_of, page_document
from videdit.studio.roots import Roots

ENDING = ".videdit.yaml"
ENDINGS = (ENDING, ".videdit.yml")
_HEAD = "# A job of videdit, kept by its studio: videdit --config {name}\n"


def project_file(source: Path) -> Path:
    """Where the project of a clip is."""
    return source.with_name(source.name + ENDING)


def source_of(project: Path) -> Path:
    """The clip of a project's file. Raises UsageError: it holds not one job of one clip."""
    jobs = load_jobs(project)
    if len(jobs) != 1 or len(jobs[0].input) != 1:
        raise UsageError(f"{project.name} is of several clips; the studio opens job files of one")
    return Path(jobs[0].input[0])


class Projects:
    """Reads and writes projects. A version is a hash of what the file holds, so that whoever changed it is noticed:
    another page, an editor of texts, a studio that ran before.
    """

    def __init__(self, roots: Roots) -> None:
        """roots: the folders in which projects may be read and written."""
        self._roots = roots
        self._lock = threading.Lock()

    def read(self, source: Path, info: MediaInfo) -> dict[str, Any]:
        """The project of a clip for a page: document, version, and why it will not be saved ("" where it will)."""
        file = project_file(source)
        with self._lock:
            version, nothing = version_of(file), page_document(_nothing(source))
            if not version:
                return {"document": nothing, "version": version, "locked": ""}
            try:
                return {"document": self.document(file, source, info), "version": version, "locked": ""}
            except UsageError as error:
                locked = f"{file.name} is left as it is, and nothing is saved: {error}"
                return {"document": nothing, "version": version, "locked": locked}

    def document(self, file: Path, source: Path, info: MediaInfo) -> dict[str, Any]:
        """A job file of a clip for a page. Raises UsageError: a page cannot show it, or it is of another clip."""
        if self._roots.name(file.resolve()) is None:
            raise UsageError(f"{file.name} leads out of the folders of this studio")
        jobs = load_jobs(file)
        if len(jobs) != 1:
            raise UsageError(f"{file.name} holds {len(jobs)} jobs")
        if [paths.expanded(name).resolve() for name in jobs[0].input] != [source.resolve()]:
            raise UsageError(f"{file.name} is about another clip")
        words = page_document(jobs[0], clock(info))
        document_of(words).job(source)
        return words

    def write(self, source: Path, document: Document, version: str) -> tuple[str, bool]:
        """Save a project, whole or not at all.

        version: of what the page had read. Returns the new version, and whether the file was another one by then.

        Raises:
            UsageError: the document makes no sense.
            MediaError: it cannot be written.
        """
        text, file = project_text(document.job(source), source), project_file(source)
        with self._lock:
            before = version_of(file)
            try:
                put_text(file, text, replace=True)
            except OSError as error:
                raise MediaError(f"cannot save {file.name}: {error.strerror}") from None
            return version_of(file), before != version


def version_of(file: Path) -> str:
    """A hash of what a file holds; "" where there is none."""
    try:
        return hashlib.blake2b(file.read_bytes(), digest_size=12).hexdigest()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise MediaError(f"cannot read {file.name}: {error.strerror}") from None


def project_text(job: RenderJob, source: Path) -> str:
    """A job as YAML, its clip named as it is seen from a file beside it."""
    values = job.model_dump(mode="json", exclude_defaults=True)
    values = {"input": source.name, "edit": job.edit, "faces": job.faces} | values | {"input": source.name}
    values |= {name: Path(values[name]).name for name in ("output", "alpha_out") if name in values}  # beside it too
    body = yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=110)
    return _HEAD.format(name=shlex.quote(source.name + ENDING)) + body


def command(job: RenderJob, source: Path) -> str:
    """The command line that renders a job; what no option can say is left to the project's file."""
    values = job.model_dump(mode="json", exclude_defaults=True)
    if values.get("per_face"):
        return f"videdit --config {shlex.quote(str(project_file(source)))}"
    words = ["videdit", str(source), "--edit", job.edit]
    for name, value in values.items():
        option = "--" + name.replace("_", "-")
        if name in ("input", "edit"):
            continue
        if value is True:
            words.append(option)
        elif value is False:
            words.append("--no-" + name.replace("_", "-"))
        else:
            told = ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
            words += [f"{option}={told}"] if told.startswith("-") else [option, told]
    return shlex.join(words)


def _nothing(source: Path) -> RenderJob:
    return Document().job(source)
