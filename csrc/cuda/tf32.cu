#include "cuda/run.inc"

namespace elman::cuda {

template const Kernels<Tf32>* kernels<Tf32>();
template void run(int, Job<ForwardSide<Tf32>>, int, const Schedule&, Stream);
template void run(int, Job<BackwardSide<Tf32>>, int, const Schedule&, Stream);

}  // namespace elman::cuda
