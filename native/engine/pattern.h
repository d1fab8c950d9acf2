// Regular expressions, JSON schemas and choices as trees; the twins of
// sparrowlm/text/patterns/parsing.py and json_schema.py, whose language and refusals they have.
#pragma once

#include "complaint.h"
#include "pattern_tree.h"

namespace engine {

// All return false where the source cannot be used; the complaint says why.
// What re.fullmatch matches, as far as it is a regular language.
bool parse_pattern(Text source, PatternTree& tree, PatternTree::Part& found, Complaint& complaint);
// Any value that a JSON schema allows, without needless white space.
bool parse_schema(Text source, PatternTree& tree, PatternTree::Part& found, Complaint& complaint);

constexpr char kTooLarge[] = "the pattern is too large: let less be repeated, or fewer times";

}  // namespace engine
