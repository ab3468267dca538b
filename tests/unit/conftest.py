import pytest
from published_host import host, listed  # noqa: F401 - fixtures

from videdit.faces.detector import FaceDetector


@pytest.fixture(scope="session")
def detector() -> FaceDetector:
    """The nets that find faces: loaded and compiled once."""
    return FaceDetector()
