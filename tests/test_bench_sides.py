"""What the comparison of sides rests on: whole processes, posts that change, fair ratios."""

import os

import httpx
import pytest

from bench.posts import posting
from bench.sides.found import Found
from bench.sides.turns import Turn
from bench.whole import Broke, measured


def test_a_whole_process_is_measured() -> None:
    used = measured("json.tool", 5, os.environ)
    assert used.said == 5
    assert 0 < used.cpu < used.seconds + 5


def test_a_process_that_fails_says_why() -> None:
    with pytest.raises(Broke, match=r"exit code 1: .*No module named json\.nothing"):
        measured("json.nothing", 5, os.environ)


def test_posts_change_for_those_who_write() -> None:
    with posting(4, hosts=2, latency=0) as posts, httpx.Client(trust_env=False) as http:
        urls = {name: it.removeprefix("feed:") for name, it in posts.sources.items()}
        assert len({httpx.URL(url).port for url in urls.values()}) == 2
        before = {name: http.get(url) for name, url in urls.items()}
        writer, *others = urls
        posts.change([writer])
        conditional = {
            name: http.get(url, headers={"If-None-Match": before[name].headers["etag"]})
            for name, url in urls.items()
        }
    assert conditional[writer].status_code == 200
    assert f"{writer} writes something new" in conditional[writer].text
    assert {conditional[name].status_code for name in others} == {304}


def _turn(seconds: float, *, cpu: float = 1, undone: int = 0) -> Turn:
    servers = {"Prosody": 1.0, "Prefect": 2.0, "Redis": 0.0}
    return Turn(seconds, cpu, 100, 100 - undone, undone, servers, 3)


def test_ratios_are_of_neighbours_and_what_was_scaled_is() -> None:
    found = Found(accounts=100, some=10, rounds=3)
    found.turns["bare loop"] = [_turn(10), _turn(20), _turn(100)]
    found.turns["flow"] = [_turn(15), _turn(24), _turn(200, undone=2)]
    found.turns["Celery"] = [_turn(30)] * 3
    found.turns["few"] = found.turns["none"] = [_turn(6)] * 3
    found.turns["operator"] = [_turn(5)] * 3
    found.turns["thread runner"] = [_turn(90, cpu=7)]
    found.turns["one after another"] = [_turn(60)]
    found.connections["none"] = [0, 1, 0]
    told = {it.claim: it.figure for it in found.figures().criteria}
    assert told["wall time, flow to bare loop"] == 1.5  # of 1.5, 1.2 and 2
    assert told["wall time, one after another to flow"] == 600 / 24
    assert told["CPU, Prefect's thread runner to flow"] == 7
    assert told["wall time, 5 % changed to all changed"] == 0.25
    assert told["XMPP connections with none changed"] == 1
    assert told["accounts that the flow left undone, in all runs"] == 2
    rows = {row.label: row.values for row in found.figures().tables[0].rows}
    assert rows["one after another"][1] == 600
    assert rows["flow"][:2] == [98, 24]
