#include "cuda/run.inc"

namespace elman::cuda {

template const Kernels<Half>* kernels<Half>();
template void run(int, Job<ForwardSide<Half>>, int, const Schedule&, Stream);
template void run(int, Job<BackwardSide<Half>>, int, const Schedule&, Stream);

}  // namespace elman::cuda
