"""Only what pyproject.toml cannot say: weights/ and configs/ lie beside the library in the repository and travel
inside it (as videdit/_weights and videdit/_configs) when it is installed, so that they cannot clash with others';
stages/ likewise is videdit.stages, in a checkout by the link videdit/stages."""

from pathlib import Path

from setuptools import find_packages, setup

configs = [f"videdit._configs.{path.name}" for path in sorted(Path("configs").iterdir()) if path.is_dir()]
packages = sorted({*find_packages(include=["videdit*"]), "videdit.stages"})  # once, whether the link was found or not

setup(
    packages=[*packages, "videdit._weights", "videdit._configs", *configs],
    package_dir={"videdit.stages": "stages", "videdit._weights": "weights", "videdit._configs": "configs"},
    package_data={
        "videdit._weights": ["*.safetensors", "*.yaml", "*.md"],
        "videdit._configs": ["*.json"],
        "videdit.studio": ["page/*", "page/*/*"],
        "": ["*.yaml", "py.typed"],
    },
)
