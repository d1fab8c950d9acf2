"""sparrow compress and bench: small files whose loss is measured and said."""

from __future__ import annotations

import json

import numpy as np
import pytest
from gguf_models import gguf_model
from small_models import CHINESE, ENGLISH, small_model

import sparrowlm as sp
from sparrowlm.api import compressing, compressing_text
from sparrowlm.api.compressing import compress, parse_share
from sparrowlm.cli.guard import run_guarded as main
from sparrowlm.foundation.errors import DataError, ModelError, SettingError
from sparrowlm.foundation.native_part import native_part
from sparrowlm.runtime.directory import manifest_bytes
from sparrowlm.runtime.gguf_files import GgufModelFiles

needs_native = pytest.mark.skipif(native_part() is None, reason="the compiled part is not built")


@pytest.fixture
def quick(monkeypatch):
    """Spare the processes that measure speed, and most of what a model would write."""
    monkeypatch.setattr(compressing, "bench_apart", lambda path: {"tokens_per_second": 1.0})
    monkeypatch.setattr(compressing_text, "_OWN_TOKENS", 4096)


@pytest.fixture
def texts(tmp_path):
    path = tmp_path / "texts.txt"
    path.write_text("\n\n".join([*ENGLISH, *CHINESE] * 8), encoding="utf-8")
    return path


@needs_native
@pytest.mark.parametrize("kind", ["transformer", "mixture", "ngram"])
def test_a_model_becomes_as_small_as_was_asked_for(tmp_path, texts, capsys, kind):
    model, output = small_model(tmp_path / "m", kind, width=64, head_width=16), tmp_path / "s.gguf"
    largest = {"transformer": 50_000, "mixture": 55_000, "ngram": 12_500}[kind]
    words = ["--to", f"{largest}B", "--on", str(texts), "--report", str(tmp_path / "r.html")]
    assert main(["compress", str(model), "-o", str(output), *words, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["bytes"] == output.stat().st_size <= largest
    assert facts["download_bytes"] < facts["bytes"]
    assert kind == "ngram" or facts["bytes"] < facts["bytes_before"] / 4
    assert facts["measured_on"] == "given text"
    before, after = (facts[when]["bits_per_character"] for when in ("before", "after"))
    assert after - before == pytest.approx(facts["difference"]["bits_per_character"], abs=1e-9)
    assert facts["loss_share"] == pytest.approx(after / before - 1)
    assert len(facts["tried"]) >= 5
    if kind == "transformer":
        assert facts["self_test"] == "passed"
    opened = sp.load(output)
    assert opened.generate("The cat", max_tokens=20, seed=1)
    assert opened.info()["compression"]["forms"] == facts["forms"]
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "<svg" in page
    assert f"{before:.4f}" in page


@pytest.mark.usefixtures("quick")
@needs_native
def test_more_room_loses_less(tmp_path, texts):
    model = small_model(tmp_path / "m", "transformer", width=64, head_width=16)
    lost = []
    for name, size in (("a", 50_000), ("b", 100_000)):
        facts = compress(model, tmp_path / f"{name}.gguf", to=size, on=[texts])
        lost.append(abs(facts["loss_share"]))
    assert lost[1] < lost[0]


@pytest.mark.usefixtures("quick")
@needs_native
def test_a_loss_is_kept_and_the_file_is_no_larger_than_it_needs(tmp_path, texts):
    model = small_model(tmp_path / "m", "mixture", width=64, head_width=16)
    facts = compress(model, tmp_path / "s.gguf", max_loss="2%", on=[texts])
    assert facts["loss_share"] <= 0.02
    smaller = [one for one in facts["tried"] if one["bytes"] < facts["bytes"] * 0.95]
    assert all(one["loss_share"] > 0.02 for one in smaller)


@pytest.mark.usefixtures("quick")
@needs_native
def test_of_a_mixture_llama_cpp_gets_the_network(tmp_path, capsys):
    model = small_model(tmp_path / "m", "mixture", width=64, head_width=16)
    assert main(["compress", str(model), "-o", str(tmp_path / "s.gguf"), "--llama-cpp"]) == 0
    assert "network alone" in capsys.readouterr().out
    written = GgufModelFiles(tmp_path / "s.gguf")
    assert written.file.settings["general.architecture"] == "qwen3"
    assert sp.load(tmp_path / "s.gguf").kind == "transformer"
    assert not [name for name in written.file.tensors if name.startswith("file/ngram")]


@pytest.mark.usefixtures("quick")
@needs_native
def test_without_texts_the_model_writes_some(tmp_path, capsys):
    model = small_model(tmp_path / "m", "transformer", width=64, head_width=16)
    assert main(["compress", str(model), "-o", str(tmp_path / "s.gguf"), "--llama-cpp"]) == 0
    assert "wrote itself" in capsys.readouterr().out
    written = GgufModelFiles(tmp_path / "s.gguf")
    assert written.file.settings["general.architecture"] == "qwen3"
    assert not {"int3", "int6"} & set(written.manifest["compression"]["forms"])


@pytest.mark.usefixtures("quick")
@needs_native
def test_a_file_is_compressed_further(tmp_path, texts):
    first = gguf_model(tmp_path / "m.gguf", "float32", width=64)
    facts = compress(first, tmp_path / "s.gguf", max_loss=0.05, on=[texts])
    assert facts["bytes"] < facts["bytes_before"] / 3


@pytest.mark.parametrize(
    ("dials", "kind"),
    [
        ({"to": "1MB", "max_loss": "1%"}, SettingError),
        ({"max_loss": "-1%"}, SettingError),
        ({"max_loss": "much"}, SettingError),
        ({"to": "1 elephant"}, SettingError),
        ({"to": "2kB"}, SettingError),
        ({"on": ["nowhere.txt"]}, DataError),
    ],
)
def test_dials_that_have_no_meaning(tmp_path, dials, kind):
    model = small_model(tmp_path / "m", "ngram")
    with pytest.raises(kind):
        compress(model, tmp_path / "s.gguf", **dials)
    assert not list(tmp_path.glob("*.gguf"))


def test_what_cannot_be_written_or_compressed_is_said_first(tmp_path):
    model = small_model(tmp_path / "m", "lstm")
    manifest = json.loads((model / "sparrow.json").read_text(encoding="utf-8"))
    fields = {key: value for key, value in manifest.items() if key not in ("format", "checksum")}
    (model / "sparrow.json").write_bytes(manifest_bytes({**fields, "kind": "fill"}))
    with pytest.raises(ModelError, match="fill"):
        compress(model, tmp_path / "s.gguf")
    with pytest.raises(SettingError, match=r"\.gguf"):
        compress(model, tmp_path / "s.bin")
    with pytest.raises(SettingError, match="folder"):
        compress(model, tmp_path / "none" / "s.gguf")


def test_too_little_text_is_an_error(tmp_path):
    model = small_model(tmp_path / "m", "transformer", width=64, head_width=16)
    (tmp_path / "t.txt").write_text("cat", encoding="utf-8")
    with pytest.raises(DataError, match="too little"):
        compress(model, tmp_path / "s.gguf", on=[tmp_path / "t.txt"])


@needs_native
@pytest.mark.parametrize("kind", ["transformer", "mixture", "ngram", "lstm", "vectors"])
def test_tokens_that_no_text_needs_are_left_out(tmp_path, quick, kind):
    model = small_model(tmp_path / "m", kind, width=64, head_width=16)
    whole = sp.load(model)
    (tmp_path / "t.txt").write_text("\n\n".join(ENGLISH * 8), encoding="utf-8")
    facts = compress(model, tmp_path / "s.gguf", max_loss="1%", on=[tmp_path / "t.txt"])
    tokens = facts["forms"]["tokens"]
    assert 257 < tokens < whole.info()["vocabulary"]
    one, other = facts["versions"]
    assert (one["changes"], other["changes"]) == ({}, {"tokens": tokens})
    assert facts["bytes"] < one["bytes"]
    assert facts["loss_share"] <= 0.01
    small = sp.load(tmp_path / "s.gguf")
    assert small.info()["vocabulary"] == tokens
    assert small.generate("The cat", max_tokens=8, seed=1)
    # What was left out is spelled in bytes.
    assert small.score("你好").num_tokens == 6 > whole.score("你好").num_tokens
    before = whole.score(ENGLISH[0]).bits_per_character
    assert small.score(ENGLISH[0]).bits_per_character < before * 1.05


@needs_native
def test_nothing_is_left_out_where_everything_fits(tmp_path, quick):
    model = small_model(tmp_path / "m", "transformer", width=64, head_width=16)
    (tmp_path / "t.txt").write_text("\n\n".join(ENGLISH * 8), encoding="utf-8")
    facts = compress(model, tmp_path / "s.gguf", to="1MB", on=[tmp_path / "t.txt"])
    assert facts["forms"] == {"int8": 15}
    assert [one["changes"] for one in facts["versions"]] == [{}]


def test_rows_of_eight_bits_are_read_where_they_stand(tmp_path, texts, quick):
    model = small_model(tmp_path / "m", "vectors")
    facts = compress(model, tmp_path / "s.gguf", max_loss="5%", on=[texts])
    assert facts["forms"]["int8"] == 1
    whole, small = sp.load(model), sp.load(tmp_path / "s.gguf")
    before, after = (one.score(ENGLISH[0]).bits_per_character for one in (whole, small))
    assert before != after == pytest.approx(before, rel=0.05)
    again = tmp_path / "again"
    assert main(["export", str(tmp_path / "s.gguf"), "-o", str(again)]) == 0
    assert sp.load(again).score(ENGLISH[0]).bits_per_character == after


@needs_native
@pytest.mark.parametrize("kind", ["lstm", "rnn"])
def test_matrices_of_recurrent_networks_get_their_own_bits(tmp_path, texts, quick, kind):
    model, small = small_model(tmp_path / "m", kind), tmp_path / "s.gguf"
    facts = compress(model, small, max_loss="0.1%", on=[texts])
    assert sum(count for form, count in facts["forms"].items() if form.startswith("int")) == 6
    assert facts["self_test"] == "passed"
    assert facts["loss_share"] <= 0.001
    larger = compress(model, tmp_path / "t.gguf", to="1MB", on=[texts])
    assert larger["forms"]["int8"] >= 4
    assert larger["bytes"] > facts["bytes"]
    # What needs no Python runs the file too; a file is compressed like a directory.
    opened = native_part().Model(np.fromfile(small, dtype=np.uint8))
    assert opened.generate(b"The cat", 8, 1) != b""
    again = compress(small, tmp_path / "u.gguf", max_loss="0.1%", on=[texts])
    assert again["loss_share"] <= 0.001
    once, twice = (sp.load(tmp_path / f"{name}.gguf").score(ENGLISH[0]) for name in "su")
    assert twice.bits_per_character == pytest.approx(once.bits_per_character, rel=0.02)


def healing_in_steps(monkeypatch, num_steps):
    """Let every training take so many steps, whatever the clock says."""
    pytest.importorskip("torch")
    from sparrowlm.compression import healing

    real = healing.healed

    def quickly(student, teacher, documents, time, *rest):
        return real(student, teacher, documents, healing.HealingTime(num_steps=num_steps), *rest)

    monkeypatch.setattr(healing, "healed", quickly)


@needs_native
@pytest.mark.parametrize("kind", ["transformer", "mixture"])
def test_a_network_is_narrowed_where_bits_do_not_suffice(tmp_path, texts, quick, monkeypatch, kind):
    healing_in_steps(monkeypatch, 20)
    model = small_model(tmp_path / "m", kind, width=64, head_width=16, feed_forward_width=256)
    size = {"transformer": 60_000, "mixture": 66_000}[kind]
    facts = compress(model, tmp_path / "s.gguf", to=size, on=[texts])
    assert facts["bytes"] <= size
    assert facts["forms"]["feed_forward_units"] < 256
    assert facts["forms"]["feed_forward_units"] % 32 == 0
    assert "healing_steps" in facts["forms"]
    small = sp.load(tmp_path / "s.gguf")
    assert small.generate("The cat", max_tokens=8, seed=1)
    with pytest.raises(SettingError, match="needs"):
        compress(model, tmp_path / "s.gguf", to="9kB", on=[texts], heal=0)


@needs_native
def test_matrices_of_three_bits_are_trained_and_taken_only_where_that_is_better(
    tmp_path, texts, quick, monkeypatch
):
    healing_in_steps(monkeypatch, 30)
    # Too narrow to be narrowed.
    model = small_model(
        tmp_path / "m", "transformer", width=64, head_width=16, feed_forward_width=32
    )
    facts = compress(model, tmp_path / "s.gguf", to=37_500, on=[texts], heal=0.1)
    trained = [one for one in facts["versions"] if "rounded_steps" in one["changes"]]
    others = [one for one in facts["versions"] if "rounded_steps" not in one["changes"]]
    assert len(trained) == 1
    # Weights drawn at random leave much to learn, rounded or not.
    wide = [one for one in others if "healing_steps" in one["changes"]]
    assert len(wide) == 1
    assert wide[0]["loss_share"] < others[0]["loss_share"]
    assert trained[0]["loss_share"] < others[0]["loss_share"]
    best = min(facts["versions"], key=lambda one: one["loss_share"])
    assert facts["loss_share"] == best["loss_share"]
    is_rounded = best is trained[0]
    assert ("rounded_steps" in facts["forms"]) == is_rounded


def test_healing_without_torch_is_refused_in_a_sentence(tmp_path, texts, monkeypatch, capsys):
    model = small_model(tmp_path / "m", "transformer", width=64, head_width=16)
    monkeypatch.setattr(compressing, "find_spec", lambda name: None)
    words = ["compress", str(model), "-o", str(tmp_path / "s.gguf"), "--on", str(texts)]
    assert main([*words, "--heal", "1"]) != 0
    assert "PyTorch" in capsys.readouterr().err
    with pytest.raises(SettingError, match="minutes"):
        compress(model, tmp_path / "s.gguf", heal=-1.0)


@pytest.mark.parametrize(("received", "share"), [("50%", 0.5), (1, 1.0), (" 0.25 ", 0.25)])
def test_shares(received, share):
    assert parse_share(received) == share


@pytest.mark.parametrize("kind", ["transformer", "mixture", "ngram", "lstm"])
def test_every_kind_is_measured(tmp_path, capsys, kind):
    model = small_model(tmp_path / "m", kind)
    assert main(["bench", str(model), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    speeds = [value for name, value in facts.items() if name.endswith(("second", "_ms"))]
    assert len(speeds) == 5
    assert all(np.isfinite(speeds))
    assert min(speeds) > 0
