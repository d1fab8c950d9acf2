"""lm-eval against a server: python lm_eval_client.py ADDRESS MODEL FOLDER.

FOLDER holds rows.jsonl: {"context", "choices", "answer"}; results.json and samples.json come there.
Nothing is fetched: the task is a local file, the tokenizer is the server's own.
"""

import json
import os
import sys
from pathlib import Path

os.environ.update(HF_DATASETS_OFFLINE="1", HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")

TASK = """task: sparrow_choice
dataset_path: json
dataset_kwargs: {{data_files: {{test: {rows}}}}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{context}}}}"
doc_to_choice: "{{{{choices}}}}"
doc_to_target: "{{{{answer}}}}"
target_delimiter: ""
metric_list: [{{metric: acc}}]
"""
GENERATION = """task: sparrow_until
dataset_path: json
dataset_kwargs: {{data_files: {{test: {rows}}}}}
test_split: test
output_type: generate_until
doc_to_text: "{{{{context}}}}"
doc_to_target: "{{{{choices[answer]}}}}"
generation_kwargs: {{until: ["."], max_gen_toks: 12, temperature: 0}}
metric_list: [{{metric: exact_match}}]
"""


def main(address, model, folder):
    folder = Path(folder)
    os.environ["HF_HOME"] = str(folder / "cache")
    import lm_eval
    from lm_eval.tasks import TaskManager

    rows = json.dumps(str(folder / "rows.jsonl"))
    for name, task in (("choice", TASK), ("until", GENERATION)):
        (folder / f"{name}.yaml").write_text(task.format(rows=rows), encoding="utf-8")
    found = lm_eval.simple_evaluate(
        model="local-completions",
        model_args={
            "base_url": f"{address}/v1/completions", "model": model,
            "tokenizer_backend": "remote", "num_concurrent": 4, "max_retries": 1,
        },
        tasks=["sparrow_choice", "sparrow_until"],
        task_manager=TaskManager(include_path=str(folder), include_defaults=False),
        log_samples=True, bootstrap_iters=0, batch_size=4,
    )  # fmt: skip
    samples = [
        {"arguments": [list(pair) for pair in one["arguments"]],
         "logs": [answer[0] for answer in one["filtered_resps"]],
         "acc": one["acc"]}
        for one in found["samples"]["sparrow_choice"]
    ]  # fmt: skip
    (folder / "samples.json").write_text(json.dumps(samples), encoding="utf-8")
    results = {name: values for name, values in found["results"].items()}
    (folder / "results.json").write_text(json.dumps(results, default=str), encoding="utf-8")
    print("ok", results["sparrow_choice"]["acc,none"])


if __name__ == "__main__":
    main(*sys.argv[1:])
