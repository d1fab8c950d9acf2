"""The page about a promise: whole, in both languages, with nothing of a label taken for HTML."""

from __future__ import annotations

from html.parser import HTMLParser

import numpy as np
from made_up_answers import LABELS, made_up

from sparrowlm.cooperation.calibrating import (
    Calibration,
    CalibrationSettings,
    Thresholds,
    fitted_promise,
)
from sparrowlm.cooperation.cooperating import cooperation_facts
from sparrowlm.cooperation.policy import Policy
from sparrowlm.cooperation.promise import PromiseSettings
from sparrowlm.cooperation.report import cooperation_page, promise_sentence
from sparrowlm.cooperation.trade_off import trade_off

ATTACK = "</td><script>alert('x')</script>&\"我\""


class Outline(HTMLParser):
    """Checks that every element is closed in order, and collects what is shown."""

    def __init__(self):
        super().__init__()
        self.open, self.seen, self.text = [], [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        if tag not in {"meta", "br", "hr", "img", "input", "link"}:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def facts(*, per_label):
    answers, truths = made_up(3000, sharpness=2.0)
    settings = CalibrationSettings(promise=PromiseSettings(0.1, 0.9), per_label=per_label)
    large_right = np.random.default_rng(0).random(3000) < 0.97
    fitted = fitted_promise(answers, truths, LABELS, settings, large_right)
    by_label = {ATTACK: None, **fitted.thresholds.by_label} if per_label else {}
    policy = Policy(
        model_checksum="0" * 64, kind="classify", settings=settings.promise,
        calibrator=fitted.calibrator, promise=fitted.promise, by_label=by_label,
        figures=fitted.figures,
    )  # fmt: skip
    calibration = Calibration(
        policy, fitted.scores_B, fitted.is_right_B, large_right,
        tuple(one.label for one in answers), Thresholds(by_label, None, (ATTACK,)),
    )  # fmt: skip
    is_small = fitted.scores_B >= fitted.promise.threshold
    trade = trade_off(fitted.scores_B, fitted.is_right_B, large_right, is_small, 0.01)
    return cooperation_facts(calibration, trade)


def test_page_is_whole_and_shows_everything_in_both_languages():
    page = cooperation_page(facts(per_label=True), ATTACK)
    outline = Outline()
    outline.feed(page)
    outline.close()
    assert outline.open == []
    assert outline.seen.count("script") == 1
    assert outline.seen.count("svg") == 2
    shown = "".join(outline.text)
    for word in (
        "承诺",
        "The promise",
        "从不作答",
        "never answered",
        "随机抽取",
        "drawn by chance",
    ):
        assert word in shown
    assert ATTACK in shown
    assert "nan" not in shown.lower().replace("finance", "")


def test_sentence_says_what_the_facts_say():
    found = facts(per_label=False)
    sentence = promise_sentence(found, "en")
    assert f"{100 * found['promise']['coverage']:.1f}" in sentence
    assert "at most 10 %" in sentence
    assert "With 90 % confidence" in sentence
    assert "90 %" in promise_sentence(found, "zh")
