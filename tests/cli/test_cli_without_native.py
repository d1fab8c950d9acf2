"""Without the compiled part everything works, slower, and says so."""

from __future__ import annotations

from small_models import small_model

from sparrowlm.cli.guard import run_guarded as main
from sparrowlm.foundation import native_part


def test_numpy_says_that_it_does_the_work(tmp_path, capsys, monkeypatch):
    model = str(small_model(tmp_path / "m", "ngram"))
    monkeypatch.setattr(native_part, "_imported", lambda: None)
    monkeypatch.delenv("SPARROW_NATIVE", raising=False)
    assert main(["next", model, "The cat"]) == 0
    assert "NumPy does the work" in capsys.readouterr().err
    assert main(["info", model]) == 0
    assert capsys.readouterr().err == ""
    # Whoever switched it off knows.
    monkeypatch.setenv("SPARROW_NATIVE", "0")
    assert main(["next", model, "The cat"]) == 0
    assert capsys.readouterr().err == ""
