#include "cuda/run.inc"

namespace elman::cuda {

template const Kernels<float>* kernels<float>();
template void run(int, Job<ForwardSide<float>>, int, const Schedule&, Stream);
template void run(int, Job<BackwardSide<float>>, int, const Schedule&, Stream);

}  // namespace elman::cuda
