"""Signed manifests, with certificates made for the test; nothing goes over the network."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from videdit.errors import MediaError, UsageError
from videdit.jobs.render_job import RenderJob
from videdit.media.decode.read import VideoReader, read_image
from videdit.media.encode.write import VideoWriter
from videdit.media.probe import probe
from videdit.media.stills.write import write_image
from videdit.provenance import c2pa as credentials

LEAF = """
basicConstraints=critical,CA:FALSE
keyUsage=critical,digitalSignature
extendedKeyUsage=emailProtection
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid
"""


@pytest.fixture(scope="module")
def papers(tmp_path_factory) -> tuple[Path, Path]:
    """(certificates, key) of a signer whom an authority of our own vouches for."""
    if shutil.which("openssl") is None:
        pytest.skip("the openssl command, which makes the certificates, is missing")
    folder = tmp_path_factory.mktemp("papers")

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    (folder / "leaf.txt").write_text(LEAF)
    openssl("req", "-x509", *curve, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Authority", "-days", "2")
    openssl("req", *curve, "-keyout", "leaf.key", "-out", "leaf.csr", "-subj", "/O=Test/CN=Signer")
    signing = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "leaf.txt", "-days", "1")
    openssl("x509", "-req", "-in", "leaf.csr", *signing, "-out", "leaf.pem")
    (folder / "chain.pem").write_bytes((folder / "leaf.pem").read_bytes() + (folder / "ca.pem").read_bytes())
    return folder / "chain.pem", folder / "leaf.key"


def job_for(source: Path, papers: tuple[Path, Path]) -> RenderJob:
    return RenderJob(input=str(source), edit="smile=1.5", sign=str(papers[0]), sign_key=str(papers[1]))


def told(path: Path) -> dict:
    """What another program reads in the file: the manifest, checked."""
    import c2pa

    with path.open("rb") as file:
        report = json.loads(c2pa.Reader(credentials.FORMATS[path.suffix], file).json())
    # No list of trusted authorities knows the test's own.
    assert {entry["code"] for entry in report["validation_status"]} == {"signingCredential.untrusted"}
    return report["manifests"][report["active_manifest"]]


@pytest.mark.extra("c2pa")
def test_a_clip_is_signed_as_edited_from_its_source(face_clip, tmp_path, papers):
    output, job = tmp_path / "out.mp4", job_for(face_clip, papers)
    credentials.check(job, output)
    with (
        VideoReader(face_clip) as reader,
        VideoWriter(
            output, reader.info, seal=lambda unfinished: credentials.sign(job, face_clip, output, unfinished)
        ) as writer,
    ):
        for frame in reader:
            writer.write(frame)
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]
    manifest = told(output)
    assert manifest["title"] == "out.mp4"
    assert [entry["title"] for entry in manifest["ingredients"]] == [face_clip.name]
    actions = next(a["data"]["actions"] for a in manifest["assertions"] if a["label"].startswith("c2pa.actions"))
    assert [action["action"] for action in actions] == ["c2pa.opened", "c2pa.edited"]
    assert actions[1]["parameters"]["edits"] == "smile=1.5"
    assert actions[1]["digitalSourceType"].endswith("compositeWithTrainedAlgorithmicMedia")
    assert probe(output).frame_count == probe(face_clip).frame_count


@pytest.mark.extra("c2pa")
@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_a_picture_is_signed(tmp_path, papers, people, suffix):
    cv2 = pytest.importorskip("cv2")
    source, output = tmp_path / "in.bmp", tmp_path / f"out{suffix}"  # C2PA cannot look into BMP
    assert cv2.imwrite(str(source), people[0])
    job = job_for(source, papers)
    seal = lambda unfinished: credentials.sign(job, source, output, unfinished)  # noqa: E731
    write_image(output, read_image(source), probe(source), {"comment": "edited"}, seal)
    assert "ingredients" not in told(output)


@pytest.mark.extra("c2pa")
def test_a_source_that_names_a_place_for_its_manifest_is_not_looked_up(tmp_path, papers, people):
    cv2 = pytest.importorskip("cv2")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        source, output = tmp_path / "in.jpg", tmp_path / "out.jpg"
        picture = cv2.imencode(".jpg", people[0])[1].tobytes()
        place = f"http://127.0.0.1:{server.getsockname()[1]}/manifest.c2pa"
        xmp = (
            '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
            '<rdf:Description rdf:about="" xmlns:dcterms="http://purl.org/dc/terms/" '
            f'dcterms:provenance="{place}"/></rdf:RDF></x:xmpmeta>'
        )
        note = b"http://ns.adobe.com/xap/1.0/\0" + xmp.encode()
        source.write_bytes(picture[:2] + b"\xff\xe1" + (len(note) + 2).to_bytes(2, "big") + note + picture[2:])
        job = job_for(source, papers)
        seal = lambda unfinished: credentials.sign(job, source, output, unfinished)  # noqa: E731
        write_image(output, read_image(source), probe(source), {"comment": "edited"}, seal)
        with pytest.raises(BlockingIOError):  # nobody has called
            server.accept()


@pytest.mark.extra("c2pa")
def test_what_cannot_be_signed_leaves_no_file(face_clip, tmp_path, papers, monkeypatch):
    job, info = job_for(face_clip, papers), probe(face_clip)
    monkeypatch.setattr(credentials, "manifest", lambda *_: {"assertions": [{"label": "c2pa.actions.v2", "data": {}}]})
    output = tmp_path / "out.mp4"
    with pytest.raises(MediaError, match="could not be signed") as error:  # noqa: SIM117
        with VideoWriter(output, info, seal=lambda path: credentials.sign(job, face_clip, output, path)) as writer:
            with VideoReader(info) as reader:
                for frame in reader:
                    writer.write(frame)
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_wrong_papers_are_refused_before_the_work(face_clip, tmp_path, papers):
    with pytest.raises(UsageError, match="hold no C2PA"):
        credentials.check(job_for(face_clip, papers), tmp_path / "out.mkv")
    credentials.check(RenderJob(input="a.mp4", edit="smile"), tmp_path / "out.mkv")
    with pytest.raises(ValueError, match="belong together"):
        RenderJob(input="a.mp4", edit="smile", sign="a.pem")
    try:
        import c2pa  # noqa: F401
    except ImportError:
        with pytest.raises(UsageError, match=r"pip install videdit\[c2pa\]"):
            credentials.check(job_for(face_clip, papers), tmp_path / "out.mp4")
        return
    for words in ((papers[0], tmp_path / "missing"), (papers[1], papers[0]), (papers[0], papers[0])):
        with pytest.raises(UsageError):
            credentials.check(job_for(face_clip, words), tmp_path / "out.mp4")
