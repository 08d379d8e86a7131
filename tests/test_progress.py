"""Prefect hears of the progress, and nobody waits for it."""

from threading import Event
from uuid import UUID, uuid4

import pytest

from flows import progress
from flows.progress import Progress


def test_a_prefect_that_does_not_answer_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    answers, asked = Event(), Event()

    def create(*_: object, **__: object) -> UUID:
        asked.set()
        answers.wait(60)
        return uuid4()

    monkeypatch.setattr(progress, "create_progress_artifact", create)
    monkeypatch.setattr(progress, "EVERY", 0.0)
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    with Progress(2) as under_way:
        assert asked.wait(60)
        under_way.advance({"Published": 1})
        under_way.advance({"Published": 2})
    assert not answers.is_set()
    answers.set()


def test_the_last_word_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[float] = []

    def create(share: float, **_: object) -> UUID:
        told.append(share)
        return uuid4()

    monkeypatch.setattr(progress, "create_progress_artifact", create)
    monkeypatch.setattr(
        progress, "update_progress_artifact", lambda _, progress: told.append(progress)
    )
    with Progress(3) as under_way:
        under_way.advance({"Published": 1, "Failed": 1})
    assert told == [0, pytest.approx(200 / 3)]
