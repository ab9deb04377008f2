#include "cuda/run.inc"

namespace elman::cuda {

template const Kernels<Bfloat16>* kernels<Bfloat16>();
template void run(int, Job<ForwardSide<Bfloat16>>, int, const Schedule&, Stream);
template void run(int, Job<BackwardSide<Bfloat16>>, int, const Schedule&, Stream);

}  // namespace elman::cuda
