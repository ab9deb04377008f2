#include "cuda/f32.cu"
