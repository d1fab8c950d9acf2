// The same with -march=armv8.2-a+dotprod.
#define WITH_DOT_PRODUCTS
#include "kernels_neon.cpp"
