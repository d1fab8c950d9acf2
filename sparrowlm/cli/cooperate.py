"""`sparrow cooperate`: when a small model may answer by itself, with a promise about its errors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from sparrowlm.cli.cap_options import CapOptions
from sparrowlm.cli.output import JsonFlag, ModelPath, write_json, write_line
from sparrowlm.foundation.errors import SettingError
from sparrowlm.foundation.messages import say

if TYPE_CHECKING:
    from sparrowlm.cooperation.calibrating import CalibrationSettings

_MOST_LABELS = 20


def cooperate_command(  # noqa: PLR0913 - the dials, each with its default
    model: ModelPath,
    *,
    calibrate: Annotated[
        tuple[Path, ...], Parameter(consume_multiple=True, help=say("cli.cooperate-calibrate"))
    ] = (),
    max_error: Annotated[str, Parameter(help=say("cli.cooperate-max-error"))] = "5%",
    confidence: Annotated[str, Parameter(help=say("cli.cooperate-confidence"))] = "90%",
    large: Annotated[str | None, Parameter(help=say("cli.cooperate-large"))] = None,
    large_model: Annotated[str | None, Parameter(help=say("cli.cooperate-large-model"))] = None,
    key_variable: Annotated[str | None, Parameter(help=say("cli.cooperate-key"))] = None,
    per_label: Annotated[bool, Parameter(negative="", help=say("cli.cooperate-per-label"))] = False,
    whole: Annotated[bool, Parameter(negative="", help=say("cli.cooperate-whole"))] = False,
    output: Annotated[
        Path | None, Parameter(name=("-o", "--output"), help=say("cli.cooperate-output"))
    ] = None,
    report: Annotated[Path | None, Parameter(help=say("cli.cooperate-report"))] = None,
    trained_on: Annotated[
        tuple[Path, ...], Parameter(consume_multiple=True, help=say("cli.cooperate-trained-on"))
    ] = (),
    cost_per_call: Annotated[float, Parameter(help=say("cli.cooperate-cost"))] = 0.0,
    ask_first: Annotated[bool, Parameter(negative="", help=say("cli.cooperate-ask-first"))] = False,
    encoding: Annotated[str | None, Parameter(help=say("cli.encoding"))] = None,
    caps: CapOptions | None = None,
    json: JsonFlag = False,
) -> None:
    """Prove a promise and print it in plain words."""
    if not calibrate:
        raise SettingError("cli.cooperate-no-data")
    caps = caps or CapOptions()
    if large is None and caps != CapOptions():
        raise SettingError("cli.cooperate-no-large")
    from sparrowlm.cooperation.cooperating import CooperationRequest, cooperate
    from sparrowlm.foundation.progress import watching_progress

    shares = share_of(max_error, "--max-error"), share_of(confidence, "--confidence")
    settings = _settings(shares, whole=whole, per_label=per_label, ask_first=ask_first)
    request = CooperationRequest(
        model=model, data=calibrate, settings=settings, large=large, cost_per_call=cost_per_call,
        trained_on=trained_on, output=output, report=report, encoding=encoding,
        large_model=large_model, key_variable=key_variable, budget=caps.budget("cooperate"),
        kept_in=caps.cache,
    )  # fmt: skip
    facts = cooperate(request, watching_progress())
    if json:
        write_json(facts)
    else:
        _write(facts)


def _settings(
    shares: tuple[float, float], *, whole: bool, per_label: bool, ask_first: bool
) -> CalibrationSettings:
    from sparrowlm.cooperation.calibrating import CalibrationSettings
    from sparrowlm.cooperation.policy import Manners
    from sparrowlm.cooperation.promise import PromiseSettings

    return CalibrationSettings(
        promise=PromiseSettings(*shares), kind="everything" if whole else "answered",
        per_label=per_label, manners=Manners(asks_first=ask_first),
    )  # fmt: skip


def share_of(received: str, name: str) -> float:
    """Read a share: per cent, or a number below 1.

    Args:
        received: "5%" or "0.05".
        name: of the option, named in the error.

    Raises:
        SettingError: not above 0 and below 1.

    >>> share_of("5%", "--max-error"), share_of("0.1", "--max-error")
    (0.05, 0.1)
    """
    text = received.strip().replace("％", "%")
    try:
        share = float(text.removesuffix("%")) / (100.0 if text.endswith("%") else 1.0)
    except ValueError:
        share = -1.0
    if not 0.0 < share < 1.0:
        raise SettingError("cooperation.calibrate-share", name=name, received=received)
    return share


def _write(facts: Mapping[str, Any]) -> None:
    from sparrowlm.cooperation.report import promise_sentence

    write_line(promise_sentence(facts))
    promise = facts["promise"]
    write_line(
        say(
            "cli.cooperate-threshold",
            least=promise["least_confidence"],
            wrong=f"{promise['num_wrong']:,}",
            answered=f"{promise['num_answered']:,}",
            naive=_percent(facts["naive_coverage"]),
        )
    )
    write_line(
        say(
            "cli.cooperate-calibration",
            accuracy=_percent(facts["accuracy"]),
            before=facts["calibration_error_before"],
            after=facts["calibration_error"],
            chance=facts["calibration_error_by_chance"],
        )
    )
    _write_labels(facts)
    if "trade_off" in facts:
        _write_trade_off(facts["trade_off"])
    if "policy" in facts:
        write_line(say("cli.cooperate-written", path=facts["policy"]))


def _write_labels(facts: Mapping[str, Any]) -> None:
    if "by_label" not in facts:
        return
    labels = sorted(facts["by_label"].items(), key=lambda one: one[1]["coverage"] if one[1] else 0)
    shown = labels[:_MOST_LABELS]
    if "others" in facts:
        shown.append((say("cli.cooperate-others"), facts["others"]))
    for label, one in shown:
        if one is None:
            write_line("  " + say("cli.cooperate-label-never", label=label))
        else:
            fields = {"coverage": _percent(one["coverage"]), "bound": _percent(one["bound"])}
            write_line("  " + say("cli.cooperate-label", label=label, **fields))


def _write_trade_off(trade: Mapping[str, Any]) -> None:
    write_line(
        say(
            "cli.cooperate-trade-off",
            small=_percent(trade["small_accuracy"]),
            large=_percent(trade["large_accuracy"]),
            both=_percent(trade["policy_accuracy"]),
            calls=_percent(trade["policy_calls"]),
        )
    )
    if trade["average_gap_recovered"] is not None:
        calls = _percent(trade["calls_for_gap"]["0.95"])
        write_line(say("cli.cooperate-gap", average=trade["average_gap_recovered"], calls=calls))
    if trade["cost_per_call"]:
        fields = {"cost": trade["cost_per_1000"], "without": trade["cost_per_1000_without"]}
        write_line(say("cli.cooperate-money", **fields))


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
