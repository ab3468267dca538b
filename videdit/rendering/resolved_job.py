"""A job with nothing left open: what its defaults and its "auto" mean for its profile, on this installation."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from videdit.edits import Edit
from videdit.edits.edit_info import HAIR
from videdit.errors import UsageError
from videdit.hfgi.profile import Profile, load_profile
from videdit.hfgi.student import can_edit, have_student
from videdit.jobs.network_choice import NetworkChoice
from videdit.jobs.render_job import RenderJob
from videdit.restoration.policy import RestorerChoice, choose
from videdit.tracks.selection import by_number


@dataclass(frozen=True)
class ResolvedJob:
    """What rendering, previews, plans and estimates go by. The clip has no part in it: see :class:`People` for that."""

    job: RenderJob  # in the user's words: outputs, encoder, cut
    profile: Profile
    method: str  # how faces are edited: "student", "hfgi" or "plain"
    edits: tuple[Edit, ...]  # all that anybody gets
    size: str | int  # of crops: "auto", or 256, 512 or 1024 px
    prealign: str  # how distortion maps are aligned
    restorer: RestorerChoice
    regions: frozenset[str]  # where edits that everybody gets may show
    hair: bool  # whether anybody's edit changes hair as a whole

    @property
    def networks(self) -> NetworkChoice:
        """Which networks it needs, and how they run."""
        return self.job.networks

    @property
    def consulted(self) -> bool:
        """Whether ADA and the consultation encoder condition the generator."""
        wish = self.networks.consultation
        return self.method == "plain" or (self.method == "hfgi" and self.profile.consults(wish))

    @property
    def faces(self) -> bool:
        """Whether faces are edited; else the subject is a car."""
        return self.profile.subject == "face"

    @property
    def follows(self) -> bool:
        """Whether faces are followed and parsed: what makes edits steady and lets them fade."""
        return self.faces and self.method != "plain"

    @property
    def at_rest(self) -> bool:
        """Whether something is done to faces while no edit is at work."""
        return self.method == "plain" or self.restorer.at_rest

    @property
    def whole(self) -> bool:
        """Whether all of the clip is rendered, or its faces are named by the numbers that they have in all of it."""
        return (self.job.start, self.job.end) == (None, None) or by_number((self.job.faces, *self.job.per_face))


def resolve(job: RenderJob) -> ResolvedJob:
    """What a job means here.

    Raises:
        UsageError: the student is asked for and cannot; the restorer is unknown.
        WeightsError: the restorer's weights are not there.
    """
    profile = load_profile(job.profile, job.checkpoint)
    edits, face = tuple(job.all_edits), profile.subject == "face"
    method = method_of(job, edits, profile)
    return ResolvedJob(
        job=job,
        profile=profile,
        method=method,
        edits=edits,
        size=max(profile.sizes) if method == "plain" and job.size == "auto" else job.size,
        # Only faces have landmarks.
        prealign=job.prealign if face or job.prealign == "none" else "flow",
        restorer=choose(job.restore) if face else RestorerChoice("none"),
        regions=regions_of(job.edits, profile),
        hair=face and method != "plain" and HAIR in regions_of(edits, profile),
    )


def method_of(job: RenderJob, edits: Iterable[Edit], profile: Profile) -> str:
    """How a job's faces are edited: "student", "hfgi" or "plain".

    Raises:
        UsageError: the student is asked for and cannot.
    """
    edits = tuple(edits)
    unknown = [edit.name for edit in edits if not can_edit((edit.name,))]
    able = profile.name == "mobile" and not unknown and not job.tune
    if job.method == "student" and not able:
        why = f"knows no edit {unknown[0]!r}" if unknown else "is of profile mobile" if not job.tune else "is not tuned"
        raise UsageError(f"--method student {why}; leave it out, or use --method hfgi")
    if job.method == "auto":
        best = all(edit.info.method == "student" for edit in edits)
        return "student" if able and best and have_student() else "hfgi"
    return job.method


def regions_of(edits: Iterable[Edit], profile: Profile) -> frozenset[str]:
    """Where edits may show, see :func:`videdit.geometry.face_regions.edit_mask`."""
    if profile.subject != "face":
        return frozenset({"box"})
    return frozenset(region for edit in edits for region in edit.info.regions)
