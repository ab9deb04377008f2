#include "cuda/bf16.cu"
