"""The programs for other machines compute what this one does, to the last bit.

They are built by native/build_programs.py with ziglang; ARM runs under qemu-user, WebAssembly in
Node. Where one of them is missing the test says so.
"""

from __future__ import annotations

import importlib.util
import itertools
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from gguf_models import (
    gguf_mixture,
    gguf_model,
    gguf_ngram,
    gguf_recurrent,
    gguf_recurrent_mixture,
)
from small_understanding import small_classifier, small_encoder, small_tagger

import sparrowlm as sp
from sparrowlm.export.gguf_blocks import FORMS
from sparrowlm.foundation.native_part import native_part
from sparrowlm.runtime.continuation import DecodingSettings
from sparrowlm.runtime.decoding import Decoder
from sparrowlm.runtime.engines import log_softmax
from sparrowlm.runtime.loading import open_model
from sparrowlm.runtime.native_engine import kernel_names
from sparrowlm.runtime.sampling import SamplingSettings
from sparrowlm.runtime.scoring import document_ids, score_text

ROOT = Path(__file__).parents[2]
QEMU = os.environ.get("SPARROW_QEMU") or shutil.which("qemu-aarch64-static")
NODE = shutil.which("node")
ZIG_PYTHON = os.environ.get("SPARROW_ZIG_PYTHON") or (
    sys.executable if importlib.util.find_spec("ziglang") else None
)
needs_zig = pytest.mark.skipif(ZIG_PYTHON is None, reason="ziglang is not installed")
pytestmark = [
    pytest.mark.slow,
    needs_zig,
    pytest.mark.skipif(native_part() is None, reason="the compiled part is not built"),
]
MAKERS = {
    "transformer": gguf_model,
    "mixture": gguf_mixture,
    "lstm": lambda path: gguf_recurrent(path, "lstm"),
    "rnn": lambda path: gguf_recurrent(path, "rnn", "float32"),
    "lstm mixture": gguf_recurrent_mixture,
    "ngram": gguf_ngram,
}
PROMPTS = ["The cat", "人工智能", ""]
NODE_PROGRAM = """
import { Sparrow } from "./sparrow.js";
const [, , model, ...prompts] = process.argv;
const sparrow = await Sparrow.load(new URL(`file://${model}`));
const wishes = { seed: 3, maxTokens: 40, temperature: 1 };
const texts = prompts.map((text) => sparrow.generate(text, wishes));
let streamed = "";
for await (const piece of sparrow.stream(prompts[0], wishes)) streamed += piece;
const stopped = sparrow.generate(prompts[0], { ...wishes, stop: [texts[0].slice(5, 8)] });
sparrow.keepProbabilities();
sparrow.generate("", { ...wishes, maxTokens: 1 });
const last = sparrow.lastToken();
const ids = [...sparrow.encode("猫 cat")];
let refused = "";
try { await Sparrow.load(new Uint8Array(64)); } catch (error) { refused = error.message; }
const test = sparrow.selfTest();
console.log(JSON.stringify({ test, texts, streamed, stopped, ids, refused, last }));
"""

FORMS_PROGRAM = """
import { Sparrow } from "./sparrow.js";
const [, , model, forms] = process.argv;
const sparrow = await Sparrow.load(new URL(`file://${model}`));
const wishes = { seed: 3, maxTokens: 40, temperature: 1 };
const texts = JSON.parse(forms).map((form) => sparrow.generate("The cat", { ...wishes, ...form }));
const gaveUp = sparrow.hasGivenUp;
const free = sparrow.generate("The cat", { ...wishes, choices: [] });
const wrong = [{ pattern: "(" }, { schema: { type: "nothing" } }, { pattern: "a", choices: ["b"] }];
const refused = wrong.map((form) => {
  try { return sparrow.generate("", form); } catch (error) { return error.message; }
});
console.log(JSON.stringify({ texts, free, refused, gaveUp }));
"""
TASKS_PROGRAM = """
import { SparrowTask } from "./sparrow-tasks.js";
const [, , classifier, tagger, encoder, decoder, texts] = process.argv;
const load = (path) => SparrowTask.load(new URL(`file://${path}`));
const [topics, names, words] = [await load(classifier), await load(tagger), await load(encoder)];
const refused = [];
const long = "[MASK] x".repeat(300);
const questions = [() => load(decoder), () => topics.tag("x"), () => words.fill("no gap"),
                   () => words.fill(long)];
for (const ask of questions) {
  try { await ask(); refused.push(""); } catch (error) { refused.push(error.message); }
}
console.log(JSON.stringify({
  kinds: [topics.kind, names.kind, words.kind], labels: topics.labels, refused,
  classes: JSON.parse(texts).map((text) => topics.classify(text)),
  tags: JSON.parse(texts).map((text) => names.tag(text)),
  vectors: JSON.parse(texts).map((text) => [...words.embed(text)]),
  fillings: words.fill("The [MASK] sat [MASK]", 3),
}));
"""
FORMS_OF_TEXTS: list[dict[str, object]] = [
    {"choices": ["yes", "no", "也许"]},
    {"pattern": "[a-c]{3}-[0-9]{2,4}|喵+!"},
    {"schema": {"type": "object", "required": ["n", "ok"],
                "properties": {"n": {"type": "integer"}, "ok": {"type": "boolean"}}}},
]  # fmt: skip


def built(target: str, folder: Path) -> Path:
    """Build and return the file that the script names first."""
    script = ROOT / "native" / "build_programs.py"
    done = subprocess.run(
        [str(ZIG_PYTHON), str(script), "-o", str(folder), target], check=True, capture_output=True
    )
    return Path(done.stdout.decode().split()[0])


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> list[Path]:
    folder = tmp_path_factory.mktemp("models")
    networks = [gguf_model(folder / f"{form}.gguf", form) for form in FORMS]
    recurrent = {"rnn": ("float32", "int4"), "lstm": ("bfloat16", "int6")}
    networks += [
        gguf_recurrent(folder / f"{kind}-{form}.gguf", kind, form)
        for kind, forms in recurrent.items()
        for form in forms
    ]
    others = [gguf_mixture, gguf_recurrent_mixture, gguf_ngram]
    return [*networks, *(make(folder / f"{make.__name__}.gguf") for make in others)]


def texts_of(path: Path) -> list[str]:
    model = open_model(path)
    settings = DecodingSettings(sampling=SamplingSettings(seed=3), max_tokens=40)
    decoder = Decoder(model.engine, model.codec)
    return ["".join(decoder.stream(prompt, settings)) for prompt in PROMPTS]


@pytest.mark.skipif(QEMU is None, reason="qemu-aarch64-static is not installed")
def test_arm_computes_the_same_bits(tmp_path, models):
    program = built("aarch64-linux-musl", tmp_path)
    assert program.stat().st_size < 500_000

    def run(*words: str) -> str:
        done = subprocess.run(
            [str(QEMU), str(program), *words], check=True, capture_output=True,
            env={**os.environ, "SPARROW_LANG": "en"},
        )  # fmt: skip
        return done.stdout.decode()

    for path in models:
        for kernels in ("neon", "neon-dotprod", "portable"):
            assert "the same" in run(str(path), "--self-test", "--kernels", kernels)
    for path in (models[0], *models[-5:]):
        for prompt, text in zip(PROMPTS, texts_of(path), strict=True):
            words = [prompt, "-n", "40", "-s", "3", "-t", "1", "--threads", "2"]
            assert run(str(path), *words) == text + "\n"


@pytest.mark.skipif(platform.machine() != "x86_64", reason="this is no x86-64 machine")
def test_any_linux_runs_the_fastest_instructions_that_it_has(tmp_path, models):
    program = built("x86_64-linux-musl", tmp_path)
    assert program.stat().st_size < 500_000

    def run(*words: str) -> str:
        done = subprocess.run(
            [str(program), *words], check=True, capture_output=True,
            env={**os.environ, "SPARROW_LANG": "en"},
        )  # fmt: skip
        return done.stdout.decode()

    for path in models:
        assert run(str(path), "--self-test").startswith(f"{kernel_names()[0]}: the same")
        for kernels in kernel_names():
            assert "the same" in run(str(path), "--self-test", "--kernels", kernels)
    for prompt, text in zip(PROMPTS, texts_of(models[0]), strict=True):
        assert run(str(models[0]), prompt, "-n", "40", "-s", "3", "-t", "1") == text + "\n"


@pytest.mark.skipif(NODE is None, reason="node is not installed")
def test_webassembly_computes_the_same_bits(tmp_path, models):
    import json

    program = built("wasm", tmp_path)
    assert program.stat().st_size < 150_000
    (tmp_path / "test.mjs").write_text(NODE_PROGRAM, encoding="utf-8")
    for path in models:
        done = subprocess.run(
            [str(NODE), str(tmp_path / "test.mjs"), str(path), *PROMPTS],
            check=True, capture_output=True,
        )  # fmt: skip
        found = json.loads(done.stdout)
        assert found["test"] == "passed", path
        assert found["texts"] == texts_of(path)
        assert found["streamed"] == found["texts"][0]
        assert found["stopped"] == found["texts"][0][:5]
        model = open_model(path)
        logits = model.engine.step(np.array([0]), model.engine.start(), is_last_only=True)
        expected = float(log_softmax(logits)[0][found["last"]["id"]])
        assert found["last"]["logProbability"] == pytest.approx(expected, abs=2e-4)
        assert found["ids"] == open_model(path).codec.encode("猫 cat")
        assert "GGUF" in found["refused"]


@pytest.mark.skipif(NODE is None, reason="node is not installed")
@pytest.mark.parametrize("make", [gguf_model, gguf_mixture])
def test_webassembly_keeps_to_forms_as_python_does(tmp_path, make):
    import json

    built("wasm", tmp_path)
    path = make(tmp_path / "m.gguf")
    (tmp_path / "test.mjs").write_text(FORMS_PROGRAM, encoding="utf-8")
    done = subprocess.run(
        [str(NODE), str(tmp_path / "test.mjs"), str(path), json.dumps(FORMS_OF_TEXTS)],
        check=True, capture_output=True,
    )  # fmt: skip
    found = json.loads(done.stdout)
    model, wishes = sp.load(path), {"seed": 3, "max_tokens": 40, "temperature": 1.0}
    for form, text in zip(FORMS_OF_TEXTS, found["texts"], strict=True):
        name, value = next(iter(form.items()))
        asked = {"json_schema" if name == "schema" else name: value}
        assert [text] == model.generate("The cat", **asked, **wishes)
    assert [found["free"]] == model.generate("The cat", **wishes)
    assert found["gaveUp"] is False
    assert all(message.startswith("sparrow: ") for message in found["refused"])
    assert "exclude" in found["refused"][2]


@pytest.mark.skipif(NODE is None, reason="node is not installed")
def test_webassembly_understands_texts_as_the_house_does(tmp_path):
    import json

    built("wasm", tmp_path)
    makers = {"c": small_classifier, "t": small_tagger, "e": small_encoder, "d": gguf_model}
    paths = [make(tmp_path / f"{name}.gguf") for name, make in makers.items()]
    texts = ["The cat sat c 1 here", "好的，猫 𠮷 dogs 12 é ok", "", "dog " * 100]
    (tmp_path / "test.mjs").write_text(TASKS_PROGRAM, encoding="utf-8")
    done = subprocess.run(
        [str(NODE), str(tmp_path / "test.mjs"), *map(str, paths), json.dumps(texts)],
        check=True, capture_output=True,
    )  # fmt: skip
    found = json.loads(done.stdout)
    assert found["kinds"] == ["classifier", "tagger", "encoder"]
    classifier, tagger, encoder = (sp.load(path) for path in paths[:3])
    assert found["labels"] == list(classifier.labels)
    for said, expected in zip(found["classes"], classifier.predict(texts), strict=True):
        assert (said["label"], said["labels"]) == (expected.label, list(expected.labels))
        assert said["probabilities"] == pytest.approx(expected.probabilities, abs=2e-6)
    for text, said, expected in zip(texts, found["tags"], tagger.predict(texts), strict=True):
        units = [len(text[: one.start].encode("utf-16-le")) // 2 for one in expected.spans]
        assert [one["start"] for one in said["spans"]] == units
        assert [(one["label"], one["text"]) for one in said["spans"]] == [
            (one.label, one.text) for one in expected.spans
        ]
        assert said["intent"]["label"] == expected.intent.label
        assert said["intent"]["probability"] == pytest.approx(expected.intent.probability, abs=5e-3)
    vectors = np.asarray(encoder.embed(texts))
    np.testing.assert_allclose(np.array(found["vectors"]), vectors, atol=2e-5)
    assert [len(gap) for gap in found["fillings"]] == [3, 3]
    assert all(message.startswith("sparrow: ") for message in found["refused"])


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> Path:
    """Build libsparrow.a; the header and the example lie beside it."""
    return built("c", tmp_path_factory.mktemp("c"))


def program_of(source: Path, library: Path) -> Path:
    """Compile a program in C with the library; return the program."""
    program = source.with_suffix("")
    subprocess.run(
        [str(ZIG_PYTHON), "-m", "ziglang", "cc", str(source), str(library),
         "-I", str(library.parent), "-lpthread", "-lm", "-o", str(program)],
        check=True, capture_output=True,
    )  # fmt: skip
    return program


FORMS_IN_C = """
#include <stdio.h>
#include "sparrow.h"
int main(int count, char **words) {
  sparrow_model *model = sparrow_open(words[1], NULL);
  sparrow_wishes wishes = sparrow_default_wishes();
  wishes.seed = 3, wishes.max_tokens = 40, wishes.temperature = 1;
  for (int i = 2; i < count; ++i) {
    if (!sparrow_set_pattern(model, words[i])) return 1;
    if (!sparrow_begin(model, "The cat", &wishes)) return 1;
    const char *piece;
    size_t size;
    while (sparrow_next_piece(model, &piece, &size)) fwrite(piece, 1, size, stdout);
    puts("");
  }
  sparrow_close(model);
  return 0;
}
"""


def test_forms_follow_one_another_in_c(tmp_path, library):
    # Masks of the pattern before were used for the one behind it.
    path, patterns = gguf_model(tmp_path / "m.gguf"), ["abc", "a+", "(true|false)!", "[a-c]{3}"]
    (tmp_path / "forms.c").write_text(FORMS_IN_C, encoding="utf-8")
    words = [str(program_of(tmp_path / "forms.c", library)), str(path), *patterns]
    lines = subprocess.run(words, check=True, capture_output=True).stdout.decode().splitlines()
    model, wishes = sp.load(path), {"seed": 3, "max_tokens": 40, "temperature": 1.0}
    assert lines == [model.generate("The cat", pattern=one, **wishes)[0] for one in patterns]


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_a_program_in_c_says_what_the_house_says(tmp_path, library, make):
    path = make(tmp_path / "m.gguf")
    program = program_of(library.parent / "example.c", library)
    words = [str(program), str(path), "The c", "5"]
    said = subprocess.run(words, check=True, capture_output=True).stdout
    model = open_model(path)
    ids = np.array([0, *model.codec.encode("The c")], dtype=np.int64)
    logits = model.engine.step(ids, model.engine.start(), is_last_only=True)
    probabilities = np.exp(log_softmax(logits)[0])
    for token_id in np.argsort(-probabilities, kind="stable")[:3]:
        # A token may be a line end, or half a character.
        piece = model.codec.token_bytes(int(token_id))
        shown, said = float(said[:6]), said[8:]
        assert shown == pytest.approx(probabilities[token_id], abs=2e-4)
        assert said.startswith(piece + b"\n")
        said = said[len(piece) + 1 :]
    settings = DecodingSettings(sampling=SamplingSettings(seed=5, temperature=0.8), max_tokens=60)
    text = "".join(Decoder(model.engine, model.codec).stream("The c", settings))
    assert said.decode() == f"The c{text}\n"
    refused = subprocess.run([str(program), "nowhere", "x"], check=False, capture_output=True)
    assert refused.returncode == 1 and b"nowhere" in refused.stderr


@pytest.fixture(scope="module")
def tasks_program(library) -> Path:
    """Compile the example of models that understand texts."""
    return program_of(library.parent / "tasks_example.c", library)


def said_of(program: Path, path: Path, text: str) -> list[str]:
    done = subprocess.run([str(program), str(path), text], check=True, capture_output=True)
    # A token may be half a character.
    return done.stdout.decode(errors="replace").splitlines()


def test_a_program_in_c_understands_what_the_house_does(tmp_path, tasks_program):
    path = small_classifier(tmp_path / "c.gguf")
    for text in ("The cat sat", "好的，猫", "", "dog " * 200):
        expected = sp.load(path).predict(text)[0]
        said = dict(
            line.removesuffix(" *").rsplit(" ", 1) for line in said_of(tasks_program, path, text)
        )
        assert {label: float(share) for label, share in said.items()} == pytest.approx(
            expected.probabilities, abs=2e-6
        )
    path = small_encoder(tmp_path / "e.gguf")
    (vector,) = sp.load(path).embed(["The cat sat"])
    found = [float(line) for line in said_of(tasks_program, path, "The cat sat")]
    assert found == pytest.approx(np.asarray(vector).tolist(), abs=2e-6)
    gaps = said_of(tasks_program, path, "The [MASK] sat")
    assert len(gaps) == 3
    shares = [float(line.rsplit(" ", 1)[1]) for line in gaps]
    assert shares == sorted(shares, reverse=True)
    refused = subprocess.run(
        [str(tasks_program), str(gguf_model(tmp_path / "d.gguf")), "x"],
        check=False, capture_output=True,
    )  # fmt: skip
    assert refused.returncode == 1 and b"d.gguf" in refused.stderr


def test_a_program_in_c_tags_as_the_house_does(tmp_path, tasks_program):
    path = small_tagger(tmp_path / "t.gguf")
    for text in ("The cat sat c 1 here", "", "dogs 12 é ok"):
        expected = sp.load(path).predict(text)[0]
        said = [line.rsplit(" ", 1) for line in said_of(tasks_program, path, text)]
        spans, intents = said[: len(expected.spans)], dict(said[len(expected.spans) :])
        assert [one[0] for one in spans] == [f"{one.label} {one.text}" for one in expected.spans]
        assert [float(one[1]) for one in spans] == pytest.approx(
            [one.probability for one in expected.spans], abs=5e-3
        )
        assert {name: float(share) for name, share in intents.items()} == pytest.approx(
            expected.intent.probabilities, abs=5e-3
        )


STATES = r"""
#include "sparrow.h"
#include <stdio.h>
#include <stdlib.h>

static void write_on(sparrow_model *model, const char *prompt) {
  sparrow_wishes wishes = sparrow_default_wishes();
  wishes.seed = 7;
  const char *piece;
  size_t size;
  sparrow_begin(model, prompt, &wishes);
  while (sparrow_next_piece(model, &piece, &size)) fwrite(piece, 1, size, stdout);
}

int main(int count, char **words) {
  sparrow_model *first = sparrow_open(words[1], NULL), *second = sparrow_open(words[1], NULL);
  write_on(first, "The c");
  printf("<<between>>");
  size_t size = sparrow_state_size(first);
  char *state = malloc(size);
  sparrow_save_state(first, state);
  if (count < 2 || !sparrow_restore_state(second, state, size)) return 1;
  write_on(second, "The c");
  state[size - 1] ^= 1;
  if (sparrow_restore_state(second, state, size)) return 2;
  printf("<<between>>%s", sparrow_complaint(second));
  free(state);
  sparrow_close(first);
  sparrow_close(second);
  return 0;
}
"""


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_a_state_is_saved_and_restored_in_c(tmp_path, library, make):
    path = make(tmp_path / "m.gguf")
    (tmp_path / "states.c").write_text(STATES, encoding="utf-8")
    program = program_of(tmp_path / "states.c", library)
    done = subprocess.run([str(program), str(path)], check=True, capture_output=True)
    text, again, complaint = done.stdout.split(b"<<between>>")
    assert text and text == again
    assert b"damaged" in complaint


SCORES = r"""
#include "sparrow.h"
#include <stdio.h>

int main(int count, char **words) {
  sparrow_model *model = sparrow_open(words[1], NULL);
  sparrow_surprise surprise;
  sparrow_wishes wishes = sparrow_default_wishes();
  const char *piece;
  size_t size;
  int32_t id, best[4];
  wishes.seed = 3;
  if (count < 3 || sparrow_score(model, "", &surprise)) return 1;
  fprintf(stderr, "%s", sparrow_complaint(model));
  sparrow_keep_log_probabilities(model);
  sparrow_begin(model, "The c", &wishes);
  for (int drawn = 0; sparrow_next_piece(model, &piece, &size); ++drawn) {
    fwrite(piece, 1, size, stdout);
    const float *logs = sparrow_last_log_probabilities(model, &id);
    if (drawn == 5 && !sparrow_score(model, words[2], &surprise)) return 2;
    if (drawn != 5 || sparrow_complaint(model)[0] != 0) continue;
    size = sparrow_likeliest(model, logs, 4, best);
    fprintf(stderr, "\n%d", (int)size);
    for (size_t i = 0; i < size; ++i) fprintf(stderr, " %d %.9g", best[i], logs[best[i]]);
    fprintf(stderr, "\n%zu %zu %.12g", surprise.num_characters, surprise.num_tokens, surprise.nats);
    for (size_t i = 0; i < surprise.num_tokens; ++i) {
      fprintf(stderr, "\n%d %.9g", surprise.ids[i], surprise.surprisals[i]);
    }
  }
  sparrow_close(model);
  return 0;
}
"""


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_a_text_is_scored_in_c_while_another_is_written(tmp_path, library, make):
    path = make(tmp_path / "m.gguf")
    (tmp_path / "scores.c").write_text(SCORES, encoding="utf-8")
    program = program_of(tmp_path / "scores.c", library)
    text = "The cat 我喜欢😀" * 150
    done = subprocess.run([str(program), str(path), text], check=True, capture_output=True)
    complaint, best, whole, *tokens = done.stderr.decode().split("\n")
    assert "empty" in complaint
    model = open_model(path)
    settings = DecodingSettings(sampling=SamplingSettings(seed=3, temperature=0.8))
    decoder = Decoder(model.engine, model.codec)
    assert done.stdout.decode() == "".join(decoder.stream("The c", settings))
    expected = score_text(model.engine, model.codec, text)
    assert [int(number) for number in whole.split()[:2]] == [len(text), expected.num_tokens]
    assert float(whole.split()[2]) == pytest.approx(expected.total_nats, rel=2e-6)
    ids_T = document_ids(model.codec, text)
    assert [int(line.split()[0]) for line in tokens] == ids_T[1:].tolist()
    surprisals = [float(line.split()[1]) for line in tokens]
    assert surprisals == pytest.approx(model.engine.surprisals(ids_T).tolist(), abs=2e-5)
    drawn = next(itertools.islice(decoder.tokens("The c", settings, likeliest=4), 5, None))
    count, *pairs = best.split()
    assert count == "4"
    assert [int(token_id) for token_id in pairs[::2]] == [one.id for one in drawn.likeliest]
    logs = [one.log_probability for one in drawn.likeliest]
    assert [float(log) for log in pairs[1::2]] == pytest.approx(logs, abs=2e-5)
