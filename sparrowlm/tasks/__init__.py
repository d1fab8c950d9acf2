"""What a model is used for, one folder per task, all with the same four files.

    examples    the task's inputs as sequences
    model       the answers of a loaded model
    metric      how good they are, with an interval
    task        the whole: examples, model, metric, and the baseline they must beat

Tasks never import one another.
"""
