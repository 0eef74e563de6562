"""docs/models.md shows the matrix as it is."""

import re
from pathlib import Path

import pytest

from telecine_contracts.video_models import MODELS, VideoModel

PAGE = (Path(__file__).parents[3] / "docs" / "models.md").read_text()


@pytest.mark.parametrize("model", MODELS.values(), ids=lambda model: model.name)
def test_the_page_has_the_row_of_each_model(model: VideoModel) -> None:
    (row,) = re.findall(rf"^\| `{model.name}` \| (.*) \|$", PAGE, re.MULTILINE)
    limits = model.references
    references = f"{limits.images} + {limits.videos} + {limits.audio}" if limits else "–"
    if limits and limits.audio_alone:
        references += ", audio alone"
    features = (model.generate_audio, model.camera_fixed, model.draft, model.flex, model.priority)

    assert row.split(" | ") == [
        ", ".join(model.resolutions),
        "{}–{}".format(*model.durations),
        "yes" if model.last_frame else "–",
        references,
        *("yes" if feature else "–" for feature in features),
    ]
