// sparrow-run with a model that understands texts: what it prints.
#pragma once

#include "../engine/task_model.h"
#include "options.h"

// Prints a text as JSON has it; bytes that belong to no character become U+FFFD each.
void print_text(engine::Text text);

// Answers a text, or every line of a text where `are_lines`; one line of JSON each, as `sparrow
// predict --json`, `sparrow embed` and `sparrow fill --json` write them. Returns false with a
// complaint.
bool answer(engine::TaskModel& model, engine::Text text, bool are_lines, const Options& options,
            engine::Complaint& complaint);
