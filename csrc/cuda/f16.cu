#include "cuda/launch_scan.inc"

namespace elman::cuda {

template const Kernels<Half>* kernels<Half>();
template void launch_scan(int, Job<ForwardSide<Half>>, int, const Schedule&, Stream);
template void launch_scan(int, Job<BackwardSide<Half>>, int, const Schedule&, Stream);

}  // namespace elman::cuda
