#include "cuda/tf32.cu"
