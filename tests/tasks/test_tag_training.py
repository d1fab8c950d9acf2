"""A tagger's training stops and goes on, learns everything in the end, keeps its size."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from small_taggers import (
    StopsAfter,
    codec_of,
    loaded,
    place,
    requests,
    save,
    small_settings,
    trained_in,
)

from sparrowlm.corpora.labelled.examples import Span, TaggedText
from sparrowlm.foundation.errors import SettingError
from sparrowlm.foundation.interrupts import StoppedBySignal
from sparrowlm.tasks.tag import training
from sparrowlm.tasks.tag.floor_training import fit_floor
from sparrowlm.tasks.tag.training import TaggerTraining, TrainedTagger, chosen_part
from sparrowlm.training.encoder_stage import StagePlace


def test_a_stopped_training_goes_on_with_the_same_bits(tmp_path):
    whole = trained_in(tmp_path / "whole", steps=12)
    train, held_out = requests(1, 120), requests(2, 40)
    codec, chosen = codec_of(train), small_settings(steps=12)
    num_stops, last = 0, None
    while last is None:
        one = replace(place(tmp_path / "stopped"), stop=StopsAfter(5))
        try:
            last = TaggerTraining(train, held_out, codec, chosen, one).run()
        except StoppedBySignal:
            num_stops += 1
    assert num_stops >= 3
    assert last.model_arrays.keys() == whole.model_arrays.keys()
    for name, array in last.model_arrays.items():
        np.testing.assert_array_equal(array, whole.model_arrays[name], err_msg=name)
    assert last.tagger.settings == whole.tagger.settings


def test_a_signal_while_the_floor_learns_ends_the_training(tmp_path, monkeypatch):
    def stopped(*some):
        return replace(fit_floor(*some), was_stopped=True)

    monkeypatch.setattr(training, "fit_floor", stopped)
    with pytest.raises(StoppedBySignal):
        trained_in(tmp_path)


def with_a_rare_word() -> list[TaggedText]:
    """Requests, the last of which alone names an artist."""
    rare = TaggedText("play songs by Zaz now", (Span(14, 17, "artist"),), (), "play")
    return [*requests(1, 120), rare]


@pytest.mark.parametrize("parts", ["both", "floor", "network"])
def test_examples_drawn_for_choosing_are_learnt_in_the_end(tmp_path, monkeypatch, parts):
    data = with_a_rare_word()
    monkeypatch.setattr(training, "divided", lambda _data, _seed: (data[:90], data[90:]))
    chosen = small_settings(parts=parts)
    own = TaggerTraining(data, None, codec_of(data), chosen, place(tmp_path))
    measured = own.run()
    before = measured.tagger.predict_all(["play songs by Zaz now"])
    whole = own.finished(measured)
    (after,) = whole.tagger.predict_all(["play songs by Zaz now"])
    assert [span[:3] for span in after.spans] == [(14, 17, "artist")]
    assert whole.tagger.settings == measured.tagger.settings
    assert len(whole.whole_floor.rows) > len(measured.whole_floor.rows)
    assert ("rest" in whole.stages) == (parts != "floor")
    # What was measured stands as it was.
    assert measured.tagger.predict_all(["play songs by Zaz now"]) == before
    if parts != "floor":
        save(whole, tmp_path / "model")
        texts = [one.text for one in requests(5, 10)]
        assert loaded(tmp_path / "model").predict(texts) == whole.tagger.predict(texts)


def test_examples_given_for_choosing_are_never_learnt(tmp_path):
    train, held_out = requests(1, 60), requests(2, 20)
    own = TaggerTraining(train, held_out, None, small_settings(parts="floor"), place(tmp_path))
    measured = own.run()
    assert own.finished(measured) is measured


def test_a_stopped_finish_goes_on_with_the_same_bits(tmp_path):
    data = requests(1, 120)
    chosen = small_settings(steps=24)

    def run(where: StagePlace) -> TrainedTagger:
        own = TaggerTraining(data, None, codec_of(data), chosen, where)
        return own.finished(own.run())

    whole = run(place(tmp_path / "whole"))
    num_stops, last = 0, None
    while last is None:
        try:
            last = run(replace(place(tmp_path / "stopped"), stop=StopsAfter(11)))
        except StoppedBySignal:
            num_stops += 1
    assert num_stops >= 2
    for name, array in last.model_arrays.items():
        np.testing.assert_array_equal(array, whole.model_arrays[name], err_msg=name)


def test_the_floor_can_ship_alone_and_the_network_too(tmp_path):
    floor = trained_in(tmp_path / "a", parts="floor")
    assert floor.tagger.network is None and not floor.model_arrays
    network = trained_in(tmp_path / "b", parts="network", steps=30)
    assert network.tagger.settings.blend.weights.keys() == {"network"}
    assert network.tagger.floor.weights.num_rows == 0
    save(network, tmp_path / "model")
    texts = [one.text for one in requests(5, 10)]
    assert loaded(tmp_path / "model").predict(texts) == network.tagger.predict(texts)


@pytest.mark.parametrize(
    ("f1", "expected"),
    [
        ({"floor": 0.9, "network": 0.958, "both": 0.957}, "both"),
        ({"floor": 0.9, "network": 0.961, "both": 0.957}, "network"),
        ({"floor": 0.64, "network": 0.5, "both": 0.62}, "floor"),
        ({"floor": 0.9}, "floor"),
    ],
)
def test_one_alone_ships_only_where_it_is_clearly_better(f1, expected):
    assert chosen_part(f1) == expected


def test_a_size_is_kept_or_refused(tmp_path):
    with pytest.raises(SettingError):
        trained_in(tmp_path / "a", most_bytes=60_000)
    done = trained_in(tmp_path / "b", most_bytes=400_000, steps=4)
    assert done.tagger.network is not None
    save(done, tmp_path / "model")
    assert sum(path.stat().st_size for path in (tmp_path / "model").iterdir()) <= 400_000


def test_settings_that_lack_something_are_refused(tmp_path):
    some = requests(1, 10)
    with pytest.raises(SettingError):
        TaggerTraining(some, None, None, small_settings(), place(tmp_path))
