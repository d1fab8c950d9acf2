// How many threads read a model's ids, where nobody has said it.
#pragma once

#include "session.h"

namespace engine {

// Calls as many as a model of that size may need.
void gather_for(Crew& crew, std::size_t num_bytes);
// Lets as many of them work as read one id fastest. False: no memory.
bool choose_threads(Decoder& decoder, Crew& crew);

}  // namespace engine
