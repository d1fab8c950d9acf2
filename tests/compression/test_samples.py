import numpy as np
from small_models import small_shape, transformer_tensors

from sparrowlm.compression.samples import every_fifth_apart, own_documents, windows
from sparrowlm.runtime.transformer_engine import TransformerEngine


def small_engine() -> TransformerEngine:
    shape = small_shape(30)
    return TransformerEngine(shape, transformer_tensors(shape), "")


def test_a_model_writes_as_much_as_was_asked_for_and_the_same_again() -> None:
    engine = small_engine()
    documents = own_documents(engine, 1000, 32)
    assert 900 < sum(map(len, documents)) <= 1024
    assert all(document[0] == 0 and len(document) > 1 for document in documents)
    assert all((document[1:] != 0).all() for document in documents)
    again, other = own_documents(engine, 1000, 32), own_documents(engine, 1000, 32, seed=1)
    assert np.array_equal(np.concatenate(documents), np.concatenate(again))
    assert not np.array_equal(np.concatenate(documents)[:900], np.concatenate(other)[:900])


def test_what_is_written_is_what_the_model_thinks_likely() -> None:
    engine = small_engine()
    own = own_documents(engine, 3000, 32)
    drawn = [np.array([0, *np.random.default_rng(n).integers(1, 30, 31)]) for n in range(90)]
    nats = [
        float(np.concatenate([engine.surprisals(one) for one in some]).mean())
        for some in (own, drawn)
    ]
    assert nats[0] < nats[1] - 0.1


def test_windows_are_spread_over_the_documents() -> None:
    documents = [np.array([0, *range(1, 40)]), np.array([0, *range(40, 100)])]
    assert windows(documents, 20, 1000).shape == (5, 20)
    some = windows(documents, 10, 40)
    assert some.shape == (4, 10)
    assert some[0, 0] == 0
    assert some[-1, -1] == 98
    assert windows([np.array([0, 3])], 50, 100).tolist() == [[0, 3]]


def test_nothing_is_measured_on_that_was_compressed_by() -> None:
    texts = [f"text {n}" for n in range(20)]
    part, apart = every_fifth_apart(texts)
    assert (len(part), len(apart)) == (16, 4)
    assert sorted(part + apart) == sorted(texts)
    few = ["a" * 10 + "b" * 5, "c"]
    assert every_fifth_apart(few) == (["a" * 10 + "b" * 2, "c"], ["b" * 3])
