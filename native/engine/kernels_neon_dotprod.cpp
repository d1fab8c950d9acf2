// The same with -march=armv8.2-a+dotprod.
#include "kernels_neon.cpp"
