import pytest

from videdit.faces import FaceDetector


@pytest.fixture(scope="session")
def detector() -> FaceDetector:
    """The nets that find faces: loaded and compiled once."""
    return FaceDetector()
