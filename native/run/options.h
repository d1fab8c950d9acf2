// What the command line of sparrow-run says.
#pragma once

#include "../engine/generation.h"

struct Options {
  const char* model = nullptr;
  const char* prompt = nullptr;  // null: standard input
  engine::Wish wish;
  // What the text may look like: at most one of these.
  const char *pattern = nullptr, *schema = nullptr;
  const char* choices[256] = {};
  std::size_t num_choices = 0;
  bool shows_logs = false;
  std::size_t num_likeliest = 0;  // beside every token
  const char* stops[16] = {};
  std::size_t num_stops = 0;
  const char* kernels = "";
  std::size_t num_threads = 0;  // as many as pay
  std::size_t most_fillings = 5;
  bool embeds = false, scores = false;
  bool looks_ahead = true;
  bool shows_help = false, shows_speed = false, shows_ids = false, tests_itself = false;
};

// False: *wrong is the word that is not understood.
bool read_options(int count, char** words, Options& options, const char*& wrong);

extern const char kHelp[];
extern const char kHelpChinese[];
