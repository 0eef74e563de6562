"""The frames of a clip."""

from itertools import pairwise

import pytest

from telecine_emulator.media.scene import Scene
from telecine_emulator.media.video import frames, loop_length


def luma(scene: Scene) -> list[bytes]:
    return [bytes(frame.planes[0]) for frame in frames(scene)]


@pytest.mark.parametrize("picture", ["", "a-digest"])
def test_every_frame_moves_also_where_the_loop_repeats(picture: str) -> None:
    shown = luma(Scene(width=320, height=192, frame_count=97, text="a kite", picture=picture))
    assert len(shown) == 48
    assert all(one != other for one, other in pairwise([*shown, shown[0]]))


@pytest.mark.parametrize(("width", "height", "length"), [(864, 480, 48), (1920, 1088, 24), (4412, 1892, 12)])
def test_large_pictures_have_a_shorter_loop(width: int, height: int, length: int) -> None:
    assert loop_length(Scene(width=width, height=height, frame_count=121, text="")) == length


def test_a_prompt_with_a_lone_surrogate_has_a_picture() -> None:
    assert luma(Scene(width=320, height=192, frame_count=1, text="\ud800"))
