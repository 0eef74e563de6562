"""The emulator's bitmap font: every glyph fits its box, and unknown letters still look like something."""

import string

import pytest

from telecine_emulator.media import font


@pytest.mark.parametrize(
    "letter", [*string.ascii_uppercase, *string.digits, *" .,:!?'-/", "狐", "é", "\ud800"]
)
def test_a_glyph_is_five_by_seven(letter: str) -> None:
    rows = font.glyph(letter)
    assert len(rows) == font.HEIGHT
    assert all(0 <= row < 2**font.WIDTH for row in rows)


def test_letters_differ_and_case_does_not_matter() -> None:
    known = string.ascii_uppercase + string.digits + "狐狸"
    assert len({font.glyph(letter) for letter in known}) == len(known)
    assert font.glyph("a") == font.glyph("A")


def test_a_row_of_text_has_six_points_a_letter() -> None:
    runs = font.text_row("AB", 0, 3)
    assert len(runs) == 12
    assert sum(pixels for pixels, _ in runs) == 36
