"""Learning from token files: loop, optimizers, schedules, checkpoints; torch comes in lazily."""
