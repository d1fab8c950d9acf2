"""The page about a promise: what is proven, how sure is sure, and what the large model is worth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sparrowlm.cooperation.calibrating import percent
from sparrowlm.export.chart import Series, line_chart
from sparrowlm.export.page import both, note, page, per_language, section, table
from sparrowlm.foundation.messages import Language, render

_MOST_LABELS = 200


def cooperation_page(facts: Mapping[str, Any], name: str) -> str:
    """Write the page.

    Args:
        facts: see cooperating.cooperation_facts.
        name: of the model.

    Returns:
        A whole HTML page in Chinese and English; nothing in it comes from elsewhere.
    """
    sections = [
        section("promise", per_language(lambda at: _sentence(facts, at) + _promise(facts, at))),
        section("calibration", per_language(lambda at: table(_calibration(facts, at)))),
        section("reliability", _reliability(facts)),
        section("trade-off", _trade_off(facts)),
        section("label-promises", per_language(lambda at: _labels(facts, at))),
    ]
    return page("cooperation-title", sections, name=name)


def promise_sentence(facts: Mapping[str, Any], language: Language | None = None) -> str:
    """Say in plain words what is promised.

    Args:
        facts: see cooperating.cooperation_facts.
        language: "zh" or "en"; None means the user's own.
    """
    promise = facts["promise"]
    fields = {
        "coverage": percent(round(promise["coverage"], 3)),
        "error": percent(promise["max_error"]),
        "confidence": percent(promise["confidence"]),
        "rows": f"{promise['num_rows']:,}",
        "bound": percent(promise["bound"]),
    }
    if "by_label" in facts:
        fields["coverage"] = percent(round(facts["coverage"], 3))
        return render("cooperation.promise-labels", fields, language)
    kind = promise["kind"]
    return render(f"cooperation.promise-{kind}", fields, language)


def _sentence(facts: Mapping[str, Any], at: Language) -> str:
    from html import escape

    return f"<p>{escape(promise_sentence(facts, at))}</p>"


def _promise(facts: Mapping[str, Any], at: Language) -> str:
    promise = facts["promise"]
    rows = [
        ("max-error", percent(promise["max_error"])),
        ("confidence", percent(promise["confidence"])),
        ("rows", f"{promise['num_rows']:,}"),
        ("answered", f"{promise['num_answered']:,} ({percent(round(promise['coverage'], 4))})"),
        ("wrong", f"{promise['num_wrong']:,}"),
        ("bound", percent(promise["bound"])),
        ("least-confidence", f"{promise['least_confidence']:.3f}"),
        ("naive", percent(round(facts["naive_coverage"], 4))),
    ]
    return table([(_label(code, at), value) for code, value in rows])


def _calibration(facts: Mapping[str, Any], at: Language) -> list[tuple[str, str]]:
    before, after, chance = (
        facts[f"calibration_error{end}"] for end in ("_before", "", "_by_chance")
    )
    rows = [
        ("accuracy", percent(round(facts["accuracy"], 4))),
        ("calibration", f"{before:.3f} → {after:.3f} ({chance:.3f})"),
        ("loss", f"{facts['log_loss_before']:.4f} → {facts['log_loss']:.4f}"),
        ("ways", f"{facts['ranker']}, {facts['scale']}"),
    ]
    return [(_label(code, at), value) for code, value in rows]


def _reliability(facts: Mapping[str, Any]) -> str:
    points = [(confidence, share) for confidence, share, _count in facts["reliability"]]
    if len(points) < 2:
        return ""
    ends = [points[0][0], points[-1][0]]
    series = [Series("held-out", points), Series("floor", [(end, end) for end in ends])]
    chart = line_chart(series, render("export.cooperation-reliability"))
    return note("cooperation-reliability") + chart


def _trade_off(facts: Mapping[str, Any]) -> str:
    trade = facts.get("trade_off")
    if trade is None:
        return ""
    calls = [100 * share for share in trade["calls"]]
    curves = {"held-out": "accuracy", "floor": "random_accuracy"}
    series = [
        Series(style, list(zip(calls, (100 * one for one in trade[name]), strict=True)))
        for style, name in curves.items()
    ]
    legend = "".join(
        f'<li><i class="{style}"></i>{both(f"cooperation-curve-{style}")}</li>' for style in curves
    )
    chart = line_chart(series, render("export.cooperation-curve"))
    figures = per_language(lambda at: table(_trade_rows(trade, at)))
    return f'{note("cooperation-curve")}{chart}<ul class="legend">{legend}</ul>{figures}'


def _trade_rows(trade: Mapping[str, Any], at: Language) -> list[tuple[str, str]]:
    rows = [
        ("small-accuracy", percent(round(trade["small_accuracy"], 4))),
        ("large-accuracy", percent(round(trade["large_accuracy"], 4))),
        ("policy-accuracy", percent(round(trade["policy_accuracy"], 4))),
        ("policy-calls", percent(round(trade["policy_calls"], 4))),
    ]
    if trade["average_gap_recovered"] is not None:
        rows.append(("gap-recovered", f"{trade['average_gap_recovered']:.3f}"))
        shown = ", ".join(
            f"{100 * float(gap):.0f} %: {percent(round(share, 3))}"
            for gap, share in trade["calls_for_gap"].items()
        )
        rows.append(("calls-for-gap", shown))
    if trade["cost_per_call"]:
        costs = f"{trade['cost_per_1000']:.4g} ({trade['cost_per_1000_without']:.4g})"
        rows.append(("cost", costs))
    return [(_label(code, at), value) for code, value in rows]


def _labels(facts: Mapping[str, Any], at: Language) -> str:
    if "by_label" not in facts:
        return ""
    promises = list(facts["by_label"].items())
    if "others" in facts:
        promises.append((_label("others", at), facts["others"]))
    rows = []
    for label, one in promises[:_MOST_LABELS]:
        if one is None:
            rows.append([label, _label("never", at), "–", "–"])
        else:
            answered = f"{one['num_answered']:,} / {one['num_rows']:,}"
            rows.append([label, answered, percent(one["bound"]), f"{one['least_confidence']:.3f}"])
    heads = [_label(code, at) for code in ("label", "answered", "bound", "least-confidence")]
    return table(rows, heads)


def _label(code: str, at: Language) -> str:
    return render(f"export.cooperation-{code}", None, at)
