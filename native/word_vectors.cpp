#include "arrays.h"
void define_word_vectors(nb::module_&) {}
