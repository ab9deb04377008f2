#include "cuda/launch_scan.inc"

namespace elman::cuda {

template const Kernels<Tf32>* kernels<Tf32>();
template void launch_scan(int, Job<ForwardSide<Tf32>>, int, const Schedule&, Stream);
template void launch_scan(int, Job<BackwardSide<Tf32>>, int, const Schedule&, Stream);

}  // namespace elman::cuda
