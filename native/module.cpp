// sparrowlm._native: the loops that Python is too slow for. Every function here has a twin in Python.
#include <nanobind/nanobind.h>

namespace nb = nanobind;

void define_attention_kernels(nb::module_& module);
void define_norm_kernels(nb::module_& module);
void define_output_kernels(nb::module_& module);
void define_crf_decoding(nb::module_& module);
void define_crf_lattice(nb::module_& module);
void define_crf_training(nb::module_& module);
void define_encoder(nb::module_& module);
void define_engine(nb::module_& module);
void define_ngram_counting(nb::module_& module);
void define_ngram_features(nb::module_& module);
void define_ngram_scoring(nb::module_& module);
void define_patterns(nb::module_& module);
void define_word_vectors(nb::module_& module);

NB_MODULE(_native, module) {
  define_attention_kernels(module);
  define_norm_kernels(module);
  define_output_kernels(module);
  define_crf_decoding(module);
  define_crf_lattice(module);
  define_crf_training(module);
  define_encoder(module);
  define_engine(module);
  define_ngram_counting(module);
  define_ngram_features(module);
  define_ngram_scoring(module);
  define_patterns(module);
  define_word_vectors(module);
}
