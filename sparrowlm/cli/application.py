"""The list of verbs. Their modules are named, not imported."""

from __future__ import annotations

from cyclopts import App, Group

from sparrowlm import __version__
from sparrowlm.cli.help_page import HelpPage
from sparrowlm.foundation.messages import say


def verb_helps() -> dict[str, str]:
    """Give each verb its help: the first line is the summary, the rest stands on its own page."""
    return {
        "train": say("cli.train-help"),
        "next": say("cli.next-help"),
        "generate": say("cli.generate-help"),
        "score": say("cli.score-help"),
        "evaluate": say("cli.evaluate-help"),
        "predict": say("cli.predict-help"),
        "match": say("cli.match-help"),
        "search": say("cli.search-help"),
        "fill": say("cli.fill-help"),
        "embed": say("cli.embed-help"),
        "similar": say("cli.similar-help"),
        "label": say("cli.label-help"),
        "redact": say("cli.redact-help"),
        "cooperate": say("cli.cooperate-help"),
        "replay": say("cli.replay-help"),
        "harvest": say("cli.harvest-help"),
        "compress": say("cli.compress-help"),
        "export": say("cli.export-help"),
        "self-test": say("cli.self-test-help"),
        "serve": say("cli.serve-help"),
        "bench": say("cli.bench-help"),
        "info": say("cli.info-help"),
        "doctor": say("cli.doctor-help"),
        "demo": say("cli.demo-help"),
    }


_USAGES = {
    "train": "sparrow train DATA... -o DIR [--minutes 5 | --steps N] [--size 4MB] [...]",
    "next": "sparrow next MODEL TEXT [-k 5] [--json]",
    "generate": "sparrow generate MODEL [--prompt TEXT] [--max-tokens 200] [...]",
    "score": "sparrow score MODEL FILE [--json]",
    "evaluate": "sparrow evaluate MODEL --on FILE... [--report PAGE.html] [--json]",
    "predict": "sparrow predict MODEL TEXT... | --file FILE [-o FILE] [--explain] [--json]",
    "match": "sparrow match MODEL TEXT TEXT | --file FILE [--json]",
    "search": "sparrow search MODEL QUESTION [-k 3] [--json]",
    "fill": "sparrow fill MODEL TEXT [-k 5] [--json]",
    "embed": "sparrow embed MODEL TEXT... | --file FILE",
    "similar": "sparrow similar MODEL WORD [WORD [WORD]] [-k 10] [--json]",
    "label": "sparrow label FILE --large URL --model NAME --labels A B... -o OUT.jsonl [...]",
    "redact": "sparrow redact FILE... [--mode mask|drop|hash|surrogate] [-o FILE] [--json]",
    "cooperate": "sparrow cooperate MODEL --calibrate DATA... [--max-error 5%] [-o FILE] [...]",
    "replay": "sparrow replay LOG --policy FILE [--json]",
    "harvest": "sparrow harvest LOG... -o DATA.jsonl [--with-sure] [--personal mask] [--json]",
    "compress": "sparrow compress MODEL -o FILE.gguf [--to 2MB | --max-loss 0.5%] [--on FILE...]",
    "export": "sparrow export MODEL -o FILE.gguf [--form int8] [--json]",
    "self-test": "sparrow self-test FILE.gguf [--json]",
    "serve": "sparrow serve MODEL... [--port 8000] [--keys FILE] [--batch FILE -o FILE] [...]",
    "bench": "sparrow bench MODEL [--json]",
    "info": "sparrow info MODEL [--json]",
    "doctor": "sparrow doctor [--json]",
    "demo": "sparrow demo [-o DIR] [--minutes 3] [--language both] [--json]",
}


def build_application() -> App:
    """Assemble the command with all its verbs, in the user's language."""
    parameters = Group(say("cli.group-parameters"), sort_key=2)
    application = App(
        name="sparrow",
        help=_summary(say("cli.root-help")),
        usage=say("cli.usage", usage="sparrow VERB ..."),
        version=__version__,
        help_format="plaintext",
        help_formatter=HelpPage(say("cli.root-help")),
        group_commands=Group(say("cli.group-verbs"), sort_key=1),
        group_arguments=parameters,
        group_parameters=parameters,
        result_action="return_value",
        suppress_keyboard_interrupt=False,
    )
    for rank, (verb, help_text) in enumerate(verb_helps().items()):
        module = verb.replace("-", "_")
        application.command(
            f"sparrowlm.cli.{module}:{module}_command",
            name=verb,
            help=_summary(help_text),
            help_formatter=HelpPage(help_text),
            usage=say("cli.usage", usage=_USAGES[verb]),
            sort_key=rank,
        )
    application["--help"].help = say("cli.help-flag")
    application["--version"].help = say("cli.version-flag")
    return application


def _summary(help_text: str) -> str:
    # cyclopts would read "Examples:" as a section of a docstring and drop it; the help page
    # writes the whole text itself.
    return help_text.partition("\n")[0]
