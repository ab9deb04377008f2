#include "cuda/f16.cu"
