"""The pages of docs/decisions/ are cited by their numbers."""

from pathlib import Path

import pytest

PAGES = sorted(Path(__file__).parents[1].joinpath("docs/decisions").glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_its_heading_has_its_number(page: Path) -> None:
    assert page.read_text().startswith(f"# {int(page.stem[:4])}. ")
